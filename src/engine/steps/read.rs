//! Reads: one object, or a family's prefix.

use super::{Context, Failed, frame};
use crate::clock::Nanos;
use crate::engine::worker::Worker;
use crate::kube::{OpClass, requests};
use crate::rpc::Rpc;
use crate::rpc::messages::{RangeResponse, RangeStreamResponse};
use crate::rpc::prefix_end;

impl Worker {
    pub(in crate::engine) async fn get(
        &self,
        context: &Context,
        class: OpClass,
    ) -> Result<Nanos, Failed> {
        let limited = self.run.plan.cluster.kubernetes_version.get_has_limit();
        let frame = {
            let mut scratch = self.scratch.borrow_mut();
            scratch.clear();
            self.run.objects.key(context.object, &mut scratch);
            frame(|out| requests::get(&scratch, limited, out))
        };
        let before = self.objects.get(context.object);
        let (bytes, done) = self.attempt(context, class, frame).await?;
        let answer: RangeResponse = self.decode(context, class, bytes)?;
        let (now, found) = (self.objects.get(context.object), answer.kvs.first());
        // A TTL lease may have removed the object behind our back. (Objects with one are read only by
        // sessions that write them, so no write is in flight beside this read.) Of others nothing is learnt but
        // that they are older than they were known to be when they were asked for.
        let older = before.exists()
            && (before.mod_revision, before.version) == (now.mod_revision, now.version)
            && found.is_none_or(|kv| kv.mod_revision < before.mod_revision);
        if now.lease().is_some() || older {
            self.learn(context.object, class, found);
        }
        Ok(done)
    }

    pub(in crate::engine) async fn list(
        &self,
        context: &Context,
        class: OpClass,
    ) -> Result<Nanos, Failed> {
        let prefix = format!(
            "{}/{}/",
            self.run.plan.prefix,
            class.info().resource.key_prefix()
        );
        let end = prefix_end(prefix.as_bytes());
        let frame = frame(|out| requests::list_page(prefix.as_bytes(), &end, 0, 0, out));
        let (bytes, done) = self.attempt(context, class, frame).await?;
        if self.run.routes.of(class, context.object).rpc == Rpc::RangeStream {
            self.decode::<RangeStreamResponse>(context, class, bytes)?;
        } else {
            self.decode::<RangeResponse>(context, class, bytes)?;
        }
        Ok(done)
    }
}

//! Endpoints and EndpointSlices of a service in a never-ending rolling update: write n of an object
//! is the n-th step, a function of n alone.

use super::service::{Endpoint, EndpointSlice, Endpoints, MAX_ADDRESSES, ServiceMeta};
use super::{Objects, Write, seconds};
use crate::clock::UnixNanos;
use crate::kube::names::{Names, Pod, Text, UidOf};

/// Where a rolling update over some slots stands. Each slot takes two writes: its pod is terminating
/// (odd), then replaced by a ready one (even). Write 0 has all of rollout 0 ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Step {
    rollout: u64,
    replaced: u64,
    terminating: Option<u64>,
}

impl Step {
    fn new(sequence: u32, slots: u64) -> Self {
        let n = u64::from(sequence);
        let within = n % (2 * slots.max(1));
        Step {
            rollout: n / (2 * slots.max(1)),
            replaced: within / 2,
            terminating: (within % 2 == 1).then_some(within / 2),
        }
    }

    fn pod(self, service: u64, first: u64, slot: u64) -> Pod {
        let rollout = self.rollout + u64::from(slot < self.replaced);
        Pod {
            service,
            slot: first + slot,
            rollout,
        }
    }
}

impl Objects {
    pub(super) fn endpoint_slice(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let cluster = &self.inner.cluster;
        let per_service = cluster.slices_per_service();
        let (service, first) = (i / per_service, i % per_service * 100);
        let slots = cluster.endpoints_per_service.saturating_sub(first).min(100);
        let step = Step::new(write.sequence, slots);
        let common = Common::new(names, service, UidOf::EndpointSlice, i, write.at);
        EndpointSlice {
            meta: common.meta(self.inner.epoch, write.at),
            name: names.endpoint_slice(service, i).as_str(),
            service_uid: names.uid(UidOf::Service, service).as_str(),
            generation: u64::from(write.sequence) + 1,
            populated: slots > 0,
        }
        .encode(out, |w| {
            for slot in 0..slots {
                let terminating = step.terminating == Some(slot);
                with_endpoint(names, step.pod(service, first, slot), terminating, |e| {
                    w.endpoint(e)
                });
            }
        });
    }

    pub(super) fn endpoints(&self, i: u64, write: Write, out: &mut Vec<u8>) {
        let names = self.names();
        let all = self.inner.cluster.endpoints_per_service;
        let slots = all.min(MAX_ADDRESSES as u64);
        let step = Step::new(write.sequence, slots);
        // The controller leaves terminating pods out.
        let mut pods: Vec<(Text, Pod)> = (0..slots)
            .filter(|slot| step.terminating != Some(*slot))
            .map(|slot| step.pod(i, 0, slot))
            .map(|pod| (names.pod_ip(pod), pod))
            .collect();
        let uid = |pod| names.uid(UidOf::Pod, names.pod_number(pod));
        pods.sort_unstable_by(|(a, p), (b, q)| {
            a.as_str()
                .cmp(b.as_str())
                .then_with(|| uid(*p).as_str().cmp(uid(*q).as_str()))
        });
        let common = Common::new(names, i, UidOf::Endpoints, i, write.at);
        Endpoints {
            meta: common.meta(self.inner.epoch, write.at),
            truncated: all > slots,
            populated: !pods.is_empty(),
        }
        .encode(out, |w| {
            for (_, pod) in &pods {
                with_endpoint(names, *pod, false, |e| w.address(e));
            }
        });
    }
}

/// The texts that a [`ServiceMeta`] borrows.
struct Common {
    service: Text,
    namespace: Text,
    uid: Text,
    trigger: Text,
}

impl Common {
    fn new(names: &Names, service: u64, of: UidOf, index: u64, at: UnixNanos) -> Self {
        // A wall instant in u64 ns ends in 2554, well within jiff's range.
        let trigger = jiff::Timestamp::from_second(seconds(at) as i64).unwrap_or_default();
        Common {
            service: names.service(service),
            namespace: names.namespace(service),
            uid: names.uid(of, index),
            trigger: Text::of(format_args!("{trigger}")),
        }
    }

    fn meta(&self, epoch: UnixNanos, at: UnixNanos) -> ServiceMeta<'_> {
        ServiceMeta {
            service: self.service.as_str(),
            namespace: self.namespace.as_str(),
            uid: self.uid.as_str(),
            created: seconds(epoch),
            written: seconds(at),
            trigger: Some(self.trigger.as_str()),
        }
    }
}

fn with_endpoint(names: &Names, pod: Pod, terminating: bool, write: impl FnOnce(&Endpoint<'_>)) {
    write(&Endpoint {
        ip: names.pod_ip(pod).as_str(),
        pod: names.pod(pod).as_str(),
        pod_uid: names.uid(UidOf::Pod, names.pod_number(pod)).as_str(),
        node: names.node(names.pod_node(pod)).as_str(),
        terminating,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_replaces_every_slot_once_and_goes_on() {
        let states = |n| {
            let step = Step::new(n, 3);
            (0..3)
                .map(|slot| (step.pod(0, 0, slot).rollout, step.terminating == Some(slot)))
                .collect::<Vec<_>>()
        };
        assert_eq!(states(0), [(0, false), (0, false), (0, false)]);
        assert_eq!(states(1), [(0, true), (0, false), (0, false)]);
        assert_eq!(states(2), [(1, false), (0, false), (0, false)]);
        assert_eq!(states(5), [(1, false), (1, false), (0, true)]);
        assert_eq!(states(6), [(1, false), (1, false), (1, false)]);
        assert_eq!(states(7), [(1, true), (1, false), (1, false)]);
    }
}

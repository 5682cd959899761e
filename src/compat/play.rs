//! A whole load: store, keys, requests, result; then its keys go.

use super::error::CompatError;
use super::load::{self, LoadError, Measured};
use super::operations::{Operations, value};
use super::place::{self, Needs, Place, Wanted};
use super::raw;
use super::result::{CompatResult, Keys};
use super::settings::{Command, Settings};
use crate::control::Control;
use crate::etcd::wire::PoolError;
use crate::exit::Exit;
use crate::target::Target;
use std::cell::RefCell;
use std::rc::Rc;
use tokio::runtime::{LocalOptions, Runtime};

/// A load to play.
#[derive(Clone, Debug)]
pub struct Request {
    pub settings: Settings,
    pub target: Target,
    pub needs: Needs,
    pub run_id: String,
    /// `--allow-live-cluster`.
    pub allow_live_cluster: bool,
    /// `--keep-data`.
    pub keep_data: bool,
}

/// Plays it. `say` is told what should be known beforehand, `tell` the number of requests that have ended.
///
/// # Errors
/// Everything that keeps the load from beginning. What fails afterwards is in the result.
pub fn play(
    request: &Request,
    runtime: &Runtime,
    control: &Control,
    say: &mut dyn FnMut(&str),
    tell: &mut dyn FnMut(u64),
) -> Result<CompatResult, CompatError> {
    let settings = &request.settings;
    let wanted = Wanted {
        needs: request.needs,
        run_id: request.run_id.clone(),
        allow_live_cluster: request.allow_live_cluster,
        puts: settings.puts(),
        bytes_per_put: (settings.key_size + settings.val_size) as u64,
        keys: settings.puts().min(settings.key_space_size),
        seed: settings.seed,
    };
    let place = runtime.block_on(place::take(&request.target, &wanted))?;
    place.facts.notes.iter().for_each(|note| say(note));
    let prefix = place::prefix(place.needs, &request.run_id);
    let measured = before(request, runtime, &place, say)
        .and_then(|()| measure(request, &place, &prefix, control, tell));
    let measured = match measured {
        Ok(measured) => measured,
        Err(e) => {
            // Nothing half-done stays behind; what cannot be deleted is less important than why.
            let operations = Operations::new(settings, &prefix);
            let _ = runtime.block_on(clean(request, place, operations, 0));
            return Err(e);
        }
    };
    let mut result = CompatResult::new(request, &place, &measured, control.interrupted());
    after(
        request,
        runtime,
        place,
        &prefix,
        &measured,
        control,
        &mut result,
    );
    Ok(result)
}

/// What is put before a range load, and what should be known of it.
fn before(
    request: &Request,
    runtime: &Runtime,
    place: &Place,
    say: &mut dyn FnMut(&str),
) -> Result<(), CompatError> {
    let settings = &request.settings;
    let Some((key, end)) = &settings.range else {
        return Ok(());
    };
    if let Some(size) = settings.preload {
        let value = value(settings.seed, size);
        return runtime.block_on(raw::preload(&place.client, key, &value));
    }
    let exists = raw::exists(&place.client, key.as_bytes(), end.as_bytes());
    if !runtime.block_on(exists)? {
        say(&format!(
            "note: nothing is stored at {key:?}: reading a missing key is cheaper than reading one"
        ));
    }
    Ok(())
}

/// The load, on this thread.
fn measure(
    request: &Request,
    place: &Place,
    prefix: &[u8],
    control: &Control,
    tell: &mut dyn FnMut(u64),
) -> Result<Measured, CompatError> {
    let local = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())
        .map_err(|e| CompatError::failure(format!("cannot start a runtime: {e}")))?;
    // Whoever cannot go on drains the load: a prefix that is somebody else's, an etcd of ours that has ended.
    let stopped = Rc::new(RefCell::new(None));
    let mut watched = |ended: u64| {
        tell(ended);
        if stopped.borrow().is_none()
            && let Some(reason) = lost(&request.target, place)
        {
            *stopped.borrow_mut() = Some(reason);
            control.drain();
        }
    };
    let operations = Operations::new(&request.settings, prefix);
    let played = local.block_on(load::play(
        &request.target,
        &place.facts.chosen,
        operations,
        &request.settings,
        control,
        &mut watched,
    ));
    let mut measured = played.map_err(|e| refused(&e))?;
    measured.stopped = stopped.take();
    Ok(measured)
}

fn refused(e: &LoadError) -> CompatError {
    match e {
        LoadError::Connect(PoolError::NoEndpoints) => CompatError::usage(e.to_string()),
        _ => CompatError::failure(e.to_string()),
    }
}

/// Why the load has to end.
fn lost(target: &Target, place: &Place) -> Option<String> {
    let mut ends = target.local_members.iter().map(|m| m.end.get());
    // One of three may be down.
    let gone = !target.local_members.is_empty() && ends.all(|e| e.is_some());
    if gone {
        let first = target.local_members.first().and_then(|m| m.end.get());
        return Some(format!(
            "the local etcd has ended: {}",
            first.unwrap_or_default()
        ));
    }
    let reason = place.lost()?;
    Some(format!("the lock of the run was lost: {reason}"))
}

/// Counts the keys, then deletes or leaves them, and revokes the leases.
fn after(
    request: &Request,
    runtime: &Runtime,
    place: Place,
    prefix: &[u8],
    measured: &Measured,
    control: &Control,
    result: &mut CompatResult,
) {
    let client = place.client.clone();
    let wrote = request.settings.command.writes() || request.settings.preload.is_some();
    if wrote {
        match runtime.block_on(place.count(prefix)) {
            Ok(stored) => {
                result.keys = Some(Keys {
                    stored,
                    deleted: None,
                });
            }
            Err(e) => result.fail(format!("cannot count the keys: {e}")),
        }
    }
    // What is somebody else's by now stays; what goes with its etcd need not be deleted.
    if request.target.disposable || place.lost().is_some() {
        return;
    }
    if request.keep_data || !wrote {
        if let Err(e) = runtime.block_on(place.leave()) {
            result.fail(format!("cannot give the prefix back: {e}"));
        }
    } else {
        let operations = Operations::new(&request.settings, prefix);
        let cleaned = async {
            tokio::select! {
                cleaned = clean(request, place, operations, measured.made) => cleaned,
                () = control.until_stopping() => Err(CompatError {
                    message: "interrupted while deleting the keys".to_owned(),
                    exit: Exit::Interrupted,
                }),
            }
        };
        match (runtime.block_on(cleaned), &mut result.keys) {
            (Ok(deleted), Some(keys)) => keys.deleted = Some(deleted),
            (Ok(_), None) => {}
            (Err(e), _) => result.fail(format!("{e}; {}", remedy(request))),
        }
    }
    let revoked = runtime.block_on(async {
        for lease in &measured.leases {
            client.lease_revoke(*lease).await?;
        }
        Ok::<(), crate::etcd::control::ControlError>(())
    });
    if let Err(e) = revoked {
        result.fail(format!(
            "cannot revoke the leases, which expire within 100 s: {e}"
        ));
    }
}

/// The key of `--preload` is the only one of a range load.
async fn clean(
    request: &Request,
    place: Place,
    operations: Operations,
    made: u64,
) -> Result<u64, CompatError> {
    let settings = &request.settings;
    match (&settings.range, settings.preload, settings.command) {
        (Some((key, _)), Some(size), Command::Range) => {
            let keys = [key.clone().into_bytes()];
            let value = value(settings.seed, size);
            raw::delete_ours(&place.client, &keys, &value).await
        }
        _ => place.clean(&request.target, operations, made).await,
    }
}

/// What deletes the keys that are left.
fn remedy(request: &Request) -> String {
    let target = &request.target;
    match request.needs {
        Needs::Prefix => format!(
            "to delete the keys, run: etcdmark cleanup {} --run-id {}{}",
            target.named(),
            request.run_id,
            target.access()
        ),
        _ => "raw keys are left at the root".to_owned(),
    }
}

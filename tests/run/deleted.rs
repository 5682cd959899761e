//! Keys of a run that another client deletes: etcd did not lose them.

use crate::common::Testbed;
use crate::play::{QUICK, Run};
use etcd_client::DeleteOptions;

#[test]
fn what_another_client_deleted_is_not_held_against_etcd() {
    let testbed = Testbed::new();
    let endpoints = testbed.endpoints();
    let more = ["--endpoints", &endpoints, "--duration", "6s"];
    let mut run = Run::start(&[&QUICK, &more]);
    run.until_second(3);
    let header = run.until_event("header", |e| e["type"] == "header");
    let csinodes = format!("{}/csinodes/", header["prefix"].as_str().unwrap());
    let mut client = testbed.client();
    let options = Some(DeleteOptions::new().with_prefix());
    let deleted = testbed
        .runtime
        .block_on(client.delete(csinodes.clone(), options));
    assert!(deleted.unwrap().deleted() > 0);
    let ended = run.finish();
    let said = &ended.said;
    let first = said.stdout.lines().next().unwrap();
    let told = format!("not verified: another client deleted keys of this run, such as {csinodes}");
    assert!(first.contains(&told), "{said:?}");
    assert!(!said.stdout.contains("missing from the store"), "{said:?}");
    assert_eq!(said.code, 1, "nothing was verified: {said:?}");
}

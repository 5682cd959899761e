//! `etcdmark list`: the built-in workloads.

use super::CliError;
use super::output::{Format, print, print_json};
use crate::exit::Exit;
use crate::workload::{BUILTINS, Overrides, Source};
use serde::Serialize;

/// Flags of `etcdmark list`.
#[derive(clap::Args, Clone, Debug)]
#[command(after_help = "Example:\n  etcdmark list -o json | jq -r '.[].name'")]
pub struct Args {
    /// Output format
    #[arg(short, long, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// One built-in workload.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    name: String,
    description: String,
    op_classes: Vec<&'static str>,
}

/// Prints the list.
pub fn run(args: Args) -> Result<Exit, CliError> {
    let rows = BUILTINS
        .iter()
        .map(|b| row(b.name))
        .collect::<Result<Vec<_>, _>>()?;
    match args.output {
        Format::Json => print_json(&rows)?,
        Format::Text => print(&text(&rows))?,
    }
    Ok(Exit::Ok)
}

fn row(name: &str) -> Result<Row, CliError> {
    let resolved = Source::load(name)?.resolve(&Overrides::new())?;
    Ok(Row {
        name: name.to_owned(),
        description: resolved
            .file
            .metadata
            .description
            .clone()
            .unwrap_or_default(),
        op_classes: resolved.rates().iter().map(|r| r.class.name()).collect(),
    })
}

fn text(rows: &[Row]) -> String {
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(0);
    let mut out = String::new();
    for r in rows {
        out += &format!(
            "{:width$}  {}\n{:width$}  {}\n",
            r.name,
            r.description,
            "",
            wrapped(&r.op_classes, width + 2)
        );
    }
    out + "\nRun one with `etcdmark run NAME`; print it with `etcdmark show NAME`.\n"
}

/// The names in lines of at most 100 columns, indented.
fn wrapped(names: &[&str], indent: usize) -> String {
    let mut out = String::new();
    let mut column = indent;
    for (i, name) in names.iter().enumerate() {
        if i > 0 && column + name.len() + 1 > 100 {
            out += &format!("\n{:indent$}", "");
            column = indent;
        } else if i > 0 {
            out.push(' ');
            column += 1;
        }
        out += name;
        column += name.len();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn names_what_each_builtin_sends() {
        let rows: Vec<Row> = BUILTINS.iter().map(|b| row(b.name).unwrap()).collect();
        let text = text(&rows);
        expect![[r#"
            cluster          All of a cluster's steady traffic, scaled by nodes
                             node-lease/update node-status/update event/create event/lease-grant event/get
                             event/patch endpointslice/update endpoints/update leader-lease/update
                             leader-lease/get apiserver-lease/update master-lease/get master-lease/lease-grant
                             master-lease/update master-lease/list compactor/txn compactor/compact
            node-heartbeats  Lease renewals and Node status of every kubelet
                             node-lease/update node-status/update
            events           Event creates with shared TTL leases, and series updates
                             event/create event/lease-grant event/get event/patch
            endpoints        A rolling update that rewrites whole Endpoints objects
                             endpoints/update
            endpointslices   A rolling update that rewrites EndpointSlices
                             endpointslice/update
            leader-leases    Leader-election renewals and standby polls, and the apiservers' own leases
                             leader-lease/update leader-lease/get apiserver-lease/update master-lease/get
                             master-lease/lease-grant master-lease/update master-lease/list
            probe            What an idle client experiences, 50 linearizable reads per second until Ctrl-C
                             probe/get

            Run one with `etcdmark run NAME`; print it with `etcdmark show NAME`.
        "#]].assert_eq(&text);
        assert!(text.lines().all(|l| l.chars().count() <= 105), "{text}");
        let probe = rows.iter().find(|r| r.name == "probe").unwrap();
        assert_eq!(probe.op_classes, ["probe/get"]);
    }
}

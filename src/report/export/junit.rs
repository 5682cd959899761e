//! JUnit XML, in the dialect that Ant's and Jenkins' schemas have in common: a test case per check. *Failed* is a failure,
//! what cannot be known an error, *undecided* is skipped. The text summary is the suite's output.

use super::ExportError;
use super::checks::{Check, State, Suite};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};
use std::io;

/// One `testsuite` in a `testsuites`.
///
/// # Errors
/// None in practice: it is written to memory.
pub fn render(suite: &Suite) -> Result<String, ExportError> {
    let failed = ExportError::of("JUnit XML");
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    write(&mut xml, suite).map_err(|e| failed(&e))?;
    let text = String::from_utf8(xml.into_inner()).map_err(|e| failed(&e))?;
    Ok(text + "\n")
}

fn write(xml: &mut Writer<Vec<u8>>, suite: &Suite) -> io::Result<()> {
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(BytesStart::new("testsuites")))?;
    let count = |states: &[State]| {
        let with = suite.checks.iter().filter(|c| states.contains(&c.state));
        with.count().to_string()
    };
    let mut attributes = vec![
        ("name", suite.name.clone()),
        ("package", "etcdmark".to_owned()),
        ("id", "0".to_owned()),
        ("tests", suite.checks.len().to_string()),
        ("failures", count(&[State::Failed])),
        ("errors", count(&[State::Broken])),
        ("skipped", count(&[State::Undecided])),
    ];
    attributes.extend(suite.seconds.map(|s| ("time", format!("{s:.3}"))));
    if let Some((unix_ns, host)) = &suite.began {
        let host = match host.is_empty() {
            true => "localhost",
            false => host,
        };
        attributes.push(("timestamp", time(*unix_ns)));
        attributes.push(("hostname", host.to_owned()));
    }
    start(xml, "testsuite", &attributes)?;
    start(xml, "properties", &[])?;
    for (name, value) in &suite.properties {
        let pair = [("name", (*name).to_owned()), ("value", value.clone())];
        xml.write_event(Event::Empty(element("property", &pair)))?;
    }
    end(xml, "properties")?;
    for check in &suite.checks {
        case(xml, check)?;
    }
    for (name, text) in [("system-out", suite.text.as_str()), ("system-err", "")] {
        start(xml, name, &[])?;
        xml.write_event(Event::Text(BytesText::new(&legal(text))))?;
        end(xml, name)?;
    }
    end(xml, "testsuite")?;
    end(xml, "testsuites")
}

fn case(xml: &mut Writer<Vec<u8>>, check: &Check) -> io::Result<()> {
    let attributes = [
        ("name", check.name.clone()),
        ("classname", format!("etcdmark.{}", check.group)),
        // Checks are judged at once, when the run is over.
        ("time", "0".to_owned()),
    ];
    let (name, kind) = match check.state {
        State::Passed | State::Doubtful => {
            return xml.write_event(Event::Empty(element("testcase", &attributes)));
        }
        State::Failed => ("failure", Some(check.group)),
        State::Broken => ("error", Some(check.group)),
        State::Undecided => ("skipped", None),
    };
    start(xml, "testcase", &attributes)?;
    let mut why = vec![("message", check.basis.clone())];
    why.extend(kind.map(|kind| ("type", kind.to_owned())));
    xml.write_event(Event::Empty(element(name, &why)))?;
    end(xml, "testcase")
}

fn element<'a>(name: &'a str, attributes: &[(&str, String)]) -> BytesStart<'a> {
    let mut element = BytesStart::new(name);
    for (name, value) in attributes {
        element.push_attribute((*name, legal(value).as_str()));
    }
    element
}

fn start(xml: &mut Writer<Vec<u8>>, name: &str, attributes: &[(&str, String)]) -> io::Result<()> {
    xml.write_event(Event::Start(element(name, attributes)))
}

fn end(xml: &mut Writer<Vec<u8>>, name: &str) -> io::Result<()> {
    xml.write_event(Event::End(BytesEnd::new(name)))
}

/// XML 1.0 has no place for most control characters, escaped or not; an error message of etcd may hold one.
fn legal(text: &str) -> String {
    let illegal = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{7f}'..='\u{9f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.replace(illegal, "\u{fffd}")
}

/// `2026-11-22T10:15:00`: Ant's schema has neither fractions nor a time zone.
fn time(unix_ns: u64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(unix_ns));
    time.map_or(String::new(), |t| {
        t.strftime("%Y-%m-%dT%H:%M:%S").to_string()
    })
}

use super::*;
use proptest::prelude::*;

/// Lines of a page as client_golang (etcd's library) writes it: HELP, TYPE, samples with what escapes it knows.
fn page() -> impl Strategy<Value = (Vec<Written>, String)> {
    let name = "[a-zA-Z_:][a-zA-Z0-9_:]{0,20}";
    let label = ("[a-zA-Z_][a-zA-Z0-9_]{0,9}", "([ -~é☃]|\\n|\\\\|\"){0,12}");
    let labels = proptest::collection::vec(label, 0..4);
    let value = prop_oneof![
        proptest::num::f64::ANY,
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::NAN),
        (0u32..9).prop_map(f64::from)
    ];
    let time = proptest::option::of(any::<i64>());
    let sample = (name, labels, value, time, any::<bool>());
    proptest::collection::vec(sample, 0..20).prop_map(|samples| {
        let mut text = String::new();
        let mut all = Vec::new();
        for (name, labels, value, time, exponent) in samples {
            text += &format!("# HELP {name} x{{y=\"z\"}} 3\n# TYPE {name} counter\n{name}");
            if !labels.is_empty() {
                let pairs = labels.iter().map(|(k, v)| {
                    let v = v.replace('\\', "\\\\").replace('"', "\\\"");
                    format!("{k}=\"{}\"", v.replace('\n', "\\n"))
                });
                text += &format!("{{{}}}", pairs.collect::<Vec<_>>().join(","));
            }
            text += &match value {
                v if v == f64::INFINITY => " +Inf".to_owned(),
                v if v == f64::NEG_INFINITY => " -Inf".to_owned(),
                v if exponent => format!(" {v:e}"),
                v => format!(" {v}"),
            };
            text += &time.map_or(String::new(), |t| format!(" {t}"));
            text.push('\n');
            all.push(Written {
                name,
                labels,
                value,
            });
        }
        (all, text)
    })
}

#[derive(Clone, Debug)]
struct Written {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

proptest! {
    #[test]
    fn what_is_written_is_read((written, text) in page()) {
        let read: Vec<_> = samples(&text).collect();
        prop_assert_eq!(read.len(), written.len());
        for (read, written) in read.into_iter().zip(written) {
            prop_assert_eq!(read.name, written.name);
            prop_assert_eq!(read.labels.is_empty(), written.labels.is_empty());
            let labels: Vec<_> = read.labels.map(|(k, v)| (k.to_owned(), v.into_owned())).collect();
            prop_assert_eq!(labels, written.labels);
            prop_assert!(read.value == written.value || (read.value.is_nan() && written.value.is_nan()));
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in "([a-c#{}=,\"\\\\ \t\n0-9.+é]|NaN){0,60}") {
        for sample in samples(&text) {
            sample.labels.for_each(drop);
        }
    }
}

#[test]
fn lines_are_read_or_left_out() {
    let read = |line| sample(line).map(|s| (s.name, s.labels.collect::<Vec<_>>(), s.value));
    let a = || vec![("a", Cow::Borrowed("b}c,\" d"))];
    for line in [
        r#"x{a="b}c,\" d"} 1.5e-05"#,
        r#"x{a="b}c,\" d",} 1.5e-05"#,
        "  x\t{ a = \"b}c,\\\" d\" , }\t1.5e-05 1395066363000 ",
        "x{a=\"b}c,\\\" d\"}1.5E-5\r",
    ] {
        assert_eq!(read(line), Some(("x", a(), 1.5e-5)), "{line}");
    }
    assert_eq!(read("x{} 3"), Some(("x", vec![], 3.0)));
    assert_eq!(read("x -Inf"), Some(("x", vec![], f64::NEG_INFINITY)));
    assert!(sample("x NaN -1").is_some_and(|s| s.value.is_nan()));
    let odd = sample(r#"x{a="\q\\n"} 1"#).expect("a lone backslash is one");
    assert_eq!(odd.labels.get("a").as_deref(), Some(r"\q\n"));
    for line in [
        "",
        "# x 1",
        "garbage",
        "x",
        "x ",
        "x one",
        "1x 1",
        "x-y 1",
        "x{a=\"1\" 3",
        "x{a=\"1\"b=\"2\"} 3",
        "x{a=1} 3",
        "x{a=\"1\"}",
        "x{,} 3",
        "x 1 2 3",
        "x 1 soon",
    ] {
        assert_eq!(sample(line), None, "{line}");
    }
}

#[test]
fn a_metric_is_found_by_its_whole_name() {
    let page = "# HELP a_b x\na_b_sum 3\na_b{c=\"d\"} 1\na_b NaN\na_b 2.147483648e+09\n";
    assert_eq!(value(page, "a_b"), Some(2_147_483_648.0));
    assert_eq!(value(page, "a_b_sum"), Some(3.0));
    assert_eq!(value(page, "a"), None);
}

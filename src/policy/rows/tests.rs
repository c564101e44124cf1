//! The language of `rows` by example: what is read, what is refused and where, and what fits.

use super::*;

fn claims(all: &[(&str, &[&str])]) -> Claims {
    all.iter()
        .map(|(name, values)| ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect()))
        .collect()
}

fn filter(written: &str, claims: &Claims) -> RowFilter {
    let rows = Rows::parse(written).unwrap_or_else(|error| panic!("{written}: {error} at {}", error.at));
    RowFilter::of([&rows], claims).unwrap()
}

/// The paths and what fits there, of a condition whose caller is one `acme` of the groups `a` and `b`.
fn resolved(written: &str) -> Vec<(String, Fits)> {
    let filter = filter(written, &claims(&[("tenant", &["acme"]), ("groups", &["a", "b"])]));
    filter.tests().iter().map(|test| (test.path.join("|"), test.fits.clone())).collect()
}

fn text(text: &str) -> Scalar {
    Scalar::Text(text.into())
}

fn number(written: &str) -> Scalar {
    Scalar::of_word(written.as_bytes()).unwrap()
}

#[test]
fn every_test_has_its_meaning() {
    for (written, path, fits) in [
        ("$.tenant == \"acme\"", "tenant", Fits::OneOf(vec![text("acme")])),
        ("$.a.b==1.50", "a|b", Fits::OneOf(vec![number("1.5")])),
        ("$['odd.name and \\'more'] == true", "odd.name and 'more", Fits::OneOf(vec![Scalar::Bool(true)])),
        ("$[\"a b\"].c == null", "a b|c", Fits::OneOf(vec![Scalar::Null])),
        ("$.t == ${claims.tenant}", "t", Fits::OneOf(vec![text("acme")])),
        ("$.t == \"org-${claims.tenant}!\"", "t", Fits::OneOf(vec![text("org-acme!")])),
        // Of several values of a claim `==` takes none, `in` each.
        ("$.t == ${claims.groups}", "t", Fits::OneOf(vec![])),
        ("$.t in ${claims.groups}", "t", Fits::OneOf(vec![text("a"), text("b")])),
        ("$.t in \"x/${claims.groups}\"", "t", Fits::OneOf(vec![text("x/a"), text("x/b")])),
        ("$.t in [ \"x\", 1 , ${claims.groups}]", "t", Fits::OneOf(vec![text("x"), number("1"), text("a"), text("b")])),
        ("$.t != \"debug\"", "t", Fits::Other(text("debug"))),
        ("$.t != -0", "t", Fits::Other(number("0"))),
        ("$.t startswith \"pub/\\u00e9\"", "t", Fits::StartsWith(vec!["pub/é".into()])),
        ("$.t startswith \"${claims.groups}/\"", "t", Fits::StartsWith(vec!["a/".into(), "b/".into()])),
        // A claim that is missing leaves nothing that could fit.
        ("$.t == ${claims.none}", "t", Fits::OneOf(vec![])),
        ("$.t in ${claims.none}", "t", Fits::OneOf(vec![])),
        ("$.t startswith \"${claims.none}/\"", "t", Fits::StartsWith(vec![])),
        ("  ( ( $.t ==1 ) ) ", "t", Fits::OneOf(vec![number("1")])),
    ] {
        assert_eq!(resolved(written), [(path.to_owned(), fits)], "{written}");
    }
}

#[test]
fn and_binds_closer_than_or() {
    let holds = |written: &str, tests: u64| filter(written, &Claims::new()).holds(tests);
    let (flat, grouped) = ("$.a == 1 or $.b == 1 and $.c == 1", "($.a == 1 or $.b == 1) and $.c == 1");
    for (tests, of_flat, of_grouped) in
        [(0b001, true, false), (0b010, false, false), (0b110, true, true), (0b101, true, true), (0, false, false)]
    {
        assert_eq!((holds(flat, tests), holds(grouped, tests)), (of_flat, of_grouped), "{tests:b}");
    }
}

#[test]
fn of_several_conditions_all_must_hold() {
    let (one, other) = (Rows::parse("$.a == 1 or $.b == 1").unwrap(), Rows::parse("$.c == 1").unwrap());
    let both = RowFilter::of([&one, &other], &Claims::new()).unwrap();
    let paths: Vec<String> = both.tests().iter().map(|test| test.path.join(".")).collect();
    assert_eq!(paths, ["a", "b", "c"]);
    assert!(both.holds(0b101) && both.holds(0b110) && !both.holds(0b011) && !both.holds(0b100));
    assert_eq!(RowFilter::of([], &Claims::new()), None);
}

#[test]
fn what_cannot_be_read_says_where() {
    let deep = format!("{}$.a == 1{}", "(".repeat(limits::ROW_DEPTH_MAX + 1), ")".repeat(limits::ROW_DEPTH_MAX + 1));
    let long = format!("$.a == \"{}\"", "x".repeat(limits::ROWS_BYTES_MAX));
    let far = format!("${} == 1", ".a".repeat(limits::ROW_STEPS_MAX + 1));
    let many = vec!["$.a == 1"; limits::ROW_TESTS_MAX + 1].join(" or ");
    for (written, at, word) in [
        ("", 0, "a member"),
        ("tenant == 1", 0, "a member"),
        ("${claims.tenant} == $.tenant", 0, "a member"),
        ("$ == 1", 1, "names no field"),
        ("$.a.*  == 1", 0, "from the root"),
        ("$.a[0] == 1", 0, "from the root"),
        ("$..a == 1", 0, "from the root"),
        ("$.a = 1", 4, "`==`"),
        ("$.a inside [1]", 4, "`==`"),
        ("not $.a == 1", 0, "a member"),
        ("$.a == 1 && $.b == 1", 9, "`and`"),
        ("$.a == 1 and", 12, "a member"),
        ("($.a == 1", 9, "`)`"),
        ("$.a == 1)", 8, "`and`"),
        ("$.a ==", 6, "expected"),
        ("$.a == acme", 7, "expected"),
        ("$.a == 01", 7, "expected"),
        ("$.a == NaN", 7, "expected"),
        ("$.a == 'acme'", 7, "double quotes"),
        ("$.a == \"acme", 7, "not closed"),
        ("$.a == \"\\x\"", 7, "as JSON"),
        ("$.a == \"\\ud800\"", 7, "as JSON"),
        ("$.a == ${claims.t", 7, "not closed"),
        ("$.a == ${env.t}", 7, "only `${claims"),
        ("$.a == \"${claims.}\"", 7, "only `${claims"),
        ("$.a == \"${claims.a}${claims.b}\"", 7, "more than one"),
        ("$.a in 1", 7, "behind `in`"),
        ("$.a in []", 8, "expected"),
        ("$.a in [1 2]", 10, "`,` or `]`"),
        ("$.a != ${claims.t}", 7, "what is shown"),
        ("$.a != null", 7, "no other"),
        ("$.a startswith ${claims.t}", 15, "ends in a claim"),
        ("$.a startswith \"x-${claims.t}\"", 15, "ends in a claim"),
        ("$.a startswith \"\"", 15, "begins with nothing"),
        ("$.a startswith 1", 15, "only texts"),
        (&deep, limits::ROW_DEPTH_MAX + 1, "parentheses"),
        (&long, 0, "longer"),
        (&far, 0, "deeper"),
        (&many, many.len(), "more tests"),
    ] {
        let error = Rows::parse(written).unwrap_err();
        assert!(error.what.contains(word), "{written}: {error}");
        assert_eq!(error.at, at, "{written}: {error}");
    }
}

#[test]
fn a_value_fits_by_its_kind_and_its_decoded_text() {
    let word = |fits: &Fits, written: &str| Scalar::of_word(written.as_bytes()).is_some_and(|word| fits.word(&word));
    let fits = |written: &str| filter(&format!("$.a {written}"), &Claims::new()).tests()[0].fits.clone();
    let five = fits("== 5");
    assert!(word(&five, "5.0") && word(&five, "50e-1") && !word(&five, "6") && !five.text(b"5"));
    assert!(!word(&five, "NaN") && !word(&five, &"5".repeat(limits::ROW_NUMBER_BYTES_MAX + 1)));
    let some = fits("in [\"a\", \"long\", null, false]");
    assert!(some.text(b"a") && some.text(b"long") && !some.text(b"longer") && !some.text(b"lon"));
    assert!(word(&some, "null") && word(&some, "false") && !word(&some, "true") && !word(&some, "0"));
    assert_eq!((some.looks_at(), five.looks_at()), (5, 1));
    // What is of another kind is not merely another value.
    let other = fits("!= 5");
    assert!(word(&other, "6") && !word(&other, "5e0") && !word(&other, "null") && !other.text(b"6"));
    let other = fits("!= \"debug\"");
    assert!(other.text(b"info") && other.text(b"debugg") && !other.text(b"debug") && !word(&other, "1"));
    let start = fits("startswith \"pub/\"");
    assert!(start.text(b"pub/") && start.text(b"pub/x") && !start.text(b"pub") && !word(&start, "1"));
}

#[test]
fn claims_that_cannot_be_trusted_fit_nothing() {
    let long = "x".repeat(limits::ROW_CLAIM_BYTES_MAX + 1);
    let many: Vec<String> = (0..=limits::CLAIM_VALUES_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let claims = claims(&[("long", &[&long, "fine"]), ("empty", &[""]), ("many", &many)]);
    for (claim, left) in [("long", vec![text("fine")]), ("empty", vec![]), ("many", vec![])] {
        let filter = filter(&format!("$.t in ${{claims.{claim}}}"), &claims);
        assert_eq!(filter.tests()[0].fits, Fits::OneOf(left), "{claim}");
    }
}

/// A claim with two values is no one value, also where only one of them can be compared.
#[test]
fn regression_one_sound_value_of_several_is_not_the_only_one() {
    let long = "x".repeat(limits::ROW_CLAIM_BYTES_MAX + 1);
    let claims = claims(&[("long", &[&long, "fine"]), ("blank", &["", "fine"]), ("one", &["fine"])]);
    for (claim, left) in [("long", vec![]), ("blank", vec![]), ("one", vec![text("fine")])] {
        let filter = filter(&format!("$.t == ${{claims.{claim}}}"), &claims);
        assert_eq!(filter.tests()[0].fits, Fits::OneOf(left), "{claim}");
    }
}

#[test]
fn it_names_the_claims_that_it_needs() {
    let rows =
        Rows::parse("$.a == ${claims.x} or $.b in [1, \"${claims.y}\"] or $.c startswith \"${claims.x}/\"").unwrap();
    assert_eq!((rows.claims().into_iter().collect::<Vec<_>>(), rows.tests()), (vec!["x", "y"], 3));
}

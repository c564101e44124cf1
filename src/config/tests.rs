//! What a configuration means, and every mistake with its line.

use super::*;

fn mistakes(text: &str) -> Vec<(usize, String)> {
    let parsed = Config::parse(text, Path::new("t.toml"), Path::new("/etc/tg"));
    parsed.err().unwrap_or_default().into_iter().map(|mistake| (mistake.line, mistake.message)).collect()
}

#[test]
fn the_least_configuration_has_defaults_and_paths_from_its_folder() {
    let config = Config::parse(LEAST, Path::new("t.toml"), Path::new("/etc/tg")).unwrap();
    assert_eq!(config.policies, Path::new("/etc/tg/policies"));
    assert_eq!(config.log.dir, Path::new("/var/log/tracegate"));
    assert_eq!(config.bounds.connections, limits::CONNECTIONS_MAX);
    assert_eq!(config.buckets.values().next().unwrap().inside, "traces");
    assert!(!config.logging.json);
}

#[test]
fn every_mistake_has_its_line() {
    let text = LEAST
        .replace("127.0.0.1:9000", "localhost")
        .replace("\"traces\"", "\"Traces\"")
        .replace("name = \"r1\"", "name = \"r1\"\n        retention = \"soon\"");
    let lines: Vec<usize> = mistakes(&text).iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [4, 0, 8, 0, 16]);
}

#[test]
fn what_is_unknown_or_would_open_too_much_is_a_mistake() {
    assert!(mistakes(&LEAST.replace("[keys]", "[keyz]"))[0].1.contains("keyz"));
    assert!(mistakes(&format!("{LEAST}\nsurprise = 1"))[0].1.contains("surprise"));
    let issuer = "[[issuer]]\nname=\"a\"\nurl=\"https://a\"\naudiences=[\"sts.amazonaws.com\"]";
    assert!(mistakes(&format!("{LEAST}\n{issuer}"))[0].1.contains("everybody"));
    let half = LEAST.replace("kind = \"memory\"", "kind = \"s3\"\nregion=\"x\"\naccess_key_id=\"AK\"");
    assert!(mistakes(&half)[0].1.contains("together"));
    let endpoint = LEAST.replace("kind = \"memory\"", "kind = \"s3\"\nendpoint=\"ftp://x\"");
    assert_eq!(mistakes(&endpoint)[0].0, 7);
    let tls = LEAST.replace("http = [", "https = [");
    assert!(mistakes(&tls)[0].1.contains("[tls]"));
}

#[test]
fn regression_no_claim_is_parted_at_commas_unless_the_configuration_says_so() {
    let issuer = "[[issuer]]\nname=\"a\"\nurl=\"https://a\"\naudiences=[\"t\"]";
    let config = |more: &str| {
        Config::parse(&format!("{LEAST}\n{issuer}\n{more}"), Path::new("t.toml"), Path::new("/etc/tg")).unwrap()
    };
    assert_eq!(config("").issuers[0].group_claims, Vec::<String>::new());
    assert_eq!(config("group_claims = [\"groups\"]").issuers[0].group_claims, ["groups"]);
}

#[test]
fn durations_are_whole_numbers_with_a_unit() {
    assert_eq!(duration("15m"), Ok(Duration::from_secs(900)));
    assert_eq!(duration("400d"), Ok(Duration::from_secs(400 * 86_400)));
    for text in ["", "15", "m", "1.5h", "-1s", "é", "99999999999999999999d"] {
        assert!(duration(text).is_err(), "{text:?}");
    }
}

#[test]
fn sizes_are_whole_numbers_with_a_unit() {
    assert_eq!(size("512MiB"), Ok(512 * 1024 * 1024));
    assert_eq!(size("3TiB"), Ok(3 << 40));
    for text in ["", "512", "MiB", "1.5GiB", "-1GiB", "4GB", "4 GiB", "99999999999TiB", "é"] {
        assert!(size(text).is_err(), "{text:?}");
    }
}

/// The space of the log's disk: the settings, and the mistake with its line where there is one.
#[test]
fn the_space_that_the_log_needs_is_bounded_and_in_order() {
    let parsed = |settings: &str| {
        let text = LEAST.replace("name = \"r1\"", &format!("name = \"r1\"\n{settings}"));
        Config::parse(&text, Path::new("t.toml"), Path::new("/etc/tg"))
    };
    const GIB: u64 = 1 << 30;
    for (settings, warn, min) in [
        ("", limits::LOG_SPACE_WARN_BYTES, limits::LOG_SPACE_MIN_BYTES),
        ("space_warn = \"20GiB\"\nspace_min = \"2GiB\"", 20 * GIB, 2 * GIB),
        ("space_warn = \"1GiB\"\nspace_min = \"1GiB\"", GIB, GIB),
        ("space_min = \"64MiB\"", limits::LOG_SPACE_WARN_BYTES, limits::LOG_SPACE_FLOOR_BYTES),
    ] {
        assert_eq!(parsed(settings).unwrap().log.space, SpaceLeft { warn, min }, "{settings}");
    }
    for (settings, line, says) in [
        ("space_min = \"0MiB\"", 16, "64MiB or more"),
        ("space_min = \"65535KiB\"", 16, "64MiB or more"),
        ("space_min = \"1\"", 16, "GiB"),
        ("space_min = \"2GiB\"\nspace_warn = \"1GiB\"", 17, "must not be less than"),
        ("space_min = \"5GiB\"", 16, "must not be less than"),
        ("space_warn = \"511MiB\"", 16, "must not be less than"),
    ] {
        let mistakes = parsed(settings).unwrap_err();
        assert_eq!(mistakes.len(), 1, "{settings}: {mistakes:?}");
        assert_eq!(mistakes[0].line, line, "{settings}");
        assert!(mistakes[0].message.contains(says), "{settings}: {}", mistakes[0]);
    }
}

#[test]
fn a_client_has_at_least_one_connection() {
    let with = |count: &str| format!("{LEAST}\n[limits]\nmax_connections_per_address = {count}");
    let config = Config::parse(&with("7"), Path::new("t.toml"), Path::new("/etc/tg")).unwrap();
    assert_eq!(config.bounds.connections_per_address, 7);
    for none in [with("0"), with("1\nconnections = 0")] {
        assert!(mistakes(&none)[0].1.contains("nobody"), "{none}");
    }
}

//! What the loader accepts, and what it says of what it does not.

use super::*;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse("billswitch.toml", text, Path::new("."))
}

#[test]
fn the_built_in_configuration_is_the_mornings_and_can_be_run() {
    let config = Config::load(None).unwrap();
    let peers: Vec<String> =
        config.links.iter().filter_map(|link| link.peer).map(|p| p.to_string()).collect();
    assert_eq!(peers, ["127.0.1.1", "127.0.1.2", "127.0.1.3"]);
    assert!(config.links.iter().all(|link| link.listen.port() == 8583));
    assert_eq!(config.billers.len(), 4);
}

#[test]
fn a_fault_is_told_by_file_line_and_reason() {
    let table = [
        ("time_zone = ", "tine_zone = ", "unknown field"),
        ("switch_ms = 30000", "switch_ms = 45000", "switch_ms must be shorter than acquirer_ms"),
        ("queue_max = 4096", "queue_max = 0", "queue_max is 1 to"),
        ("\"northbank\"", "\"atmnet\"", "link `atmnet` is there twice"),
        ("code = \"KPPOLICE\"", "code = \"KPEXCISE\"", "biller `KPEXCISE` is there twice"),
        ("Asia/Karachi", "Asia/Nowhere", "time zone"),
        (
            "name = \"Police\"",
            "reply_timeout_ms = 30000\nname = \"Police\"",
            "reply_timeout_ms must be shorter",
        ),
        (
            "profile = \"onelink\"",
            "frame_bytes_max = 10000\nprofile = \"onelink\"",
            "frame_bytes_max is 1 to 9999",
        ),
        (
            "profile = \"onelink\"",
            "framing = \"binary 3\"\nprofile = \"onelink\"",
            "`binary 3` is no framing: there are `binary 2`",
        ),
        (
            "profile = \"onelink\"",
            "framing = \"none\"\nprofile = \"onelink\"",
            "link `atmnet`: framing `none` is for tools",
        ),
        (
            "profile = \"onelink\"",
            "second_connection = \"both\"\nprofile = \"onelink\"",
            "unknown variant `both`",
        ),
        ("profile = \"onelink\"", "idle_echo_ms = 86400001\nprofile = \"onelink\"", "idle_echo_ms is 1 to"),
    ];
    for (from, to, want) in table {
        let changed = BUILT_IN.find(from).unwrap();
        let line = BUILT_IN[..changed].matches('\n').count() + 1;
        let error = parse(&BUILT_IN.replacen(from, to, 1)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("billswitch.toml:{line}: ")), "line {line}: {error}");
        assert!(error.contains(want), "{error}");
    }
}

#[test]
fn links_on_one_port_must_differ_in_their_peer() {
    let error = parse(&BUILT_IN.replace("127.0.1.2", "127.0.1.1")).unwrap_err().to_string();
    assert!(error.contains("link `northbank` cannot be told from another"), "{error}");
}

#[test]
fn a_profile_that_is_not_there_is_named_with_those_that_are() {
    let error = parse(&BUILT_IN.replace("profile = \"onelink\"", "profile = \"twolink\"")).unwrap_err();
    let line = BUILT_IN[..BUILT_IN.find("profile = \"onelink\"").unwrap()].matches('\n').count() + 1;
    assert!(error.to_string().starts_with(&format!("billswitch.toml:{line}: ")), "{error}");
    assert!(error.to_string().contains("no profile `twolink`"), "{error}");
    assert!(error.to_string().contains("it has iso87, onelink, ebipp, pln"), "{error}");
}

#[test]
fn a_link_is_framed_as_its_dialect_says_unless_it_says_otherwise_itself() {
    let framings = |text: &str| -> Vec<String> {
        parse(text).unwrap().links.iter().map(|link| link.framing.to_string()).collect()
    };
    assert_eq!(framings(BUILT_IN), ["binary 2"; 3]);
    let own = "profile = \"onelink\"\nframing = \"ascii 4 inclusive\"";
    let changed = BUILT_IN.replacen("profile = \"onelink\"", own, 1);
    assert_eq!(framings(&changed), ["ascii 4 inclusive", "binary 2", "binary 2"]);
}

#[test]
fn a_link_has_keys_only_where_its_profile_has_macs() {
    let with = |profile: &str, lines: &str| {
        let lines = format!("profile = \"{profile}\"\n[link.mac]\nkey_file = \"k\"\n{lines}");
        parse(&BUILT_IN.replacen("profile = \"onelink\"", &lines, 1))
    };
    let config = with("onelink", "").unwrap();
    let mac = config.links[0].mac.as_ref().unwrap();
    assert_eq!((mac.window.as_secs(), config.links[1].mac.is_none()), (300, true));
    assert!(with("pln", "").unwrap_err().to_string().contains("profile `pln` has no [mac]"));
    assert!(with("onelink", "window_ms = 3600001").unwrap_err().to_string().contains("window_ms is 1 to"));
}

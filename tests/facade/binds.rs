//! Sessions and the binds of today: whoever lost the role has lost their sessions in it, too.

use std::time::Duration;

use super::facade::{Facade, role_file, within};
use super::signing::Session;
use super::wire::{Answer, Ask};

const SOON: Duration = Duration::from_secs(5);
const BOUND: &str = "groups = [\"narrow\"]";

async fn read(facade: &Facade, session: &Session) -> Answer {
    facade.send(session.sign(facade.ask("GET", "/traces/narrow/a.json"))).await
}

/// Puts the role's file in place and waits until that set is in force.
async fn change(facade: &Facade, loads: usize, binds: &str) {
    let text = role_file("narrow", "", "actions = [\"get\", \"list\"]\npaths = [\"traces/narrow/*\"]");
    assert!(text.contains(BOUND), "{text}");
    std::fs::write(facade.file("policies/narrow.toml"), text.replace(BOUND, binds)).unwrap();
    in_force(facade, loads).await;
}

async fn in_force(facade: &Facade, loads: usize) {
    within(SOON, "the set is in force", async || facade.log().entries_of("policy.load").len() == loads).await;
}

#[tokio::test]
async fn a_session_ends_with_the_last_bind_that_admits_its_holder() {
    let facade = Facade::start().await;
    facade.put("narrow/a.json", "{}");
    let (session, other) = (facade.session("narrow").await, facade.session("raw").await);
    let first = read(&facade, &session).await;
    assert_eq!(first.status, 200, "{}", first.text());

    change(&facade, 2, "groups = [\"more\", \"narrow\"]").await;
    assert_eq!(read(&facade, &session).await.status, 200, "a bind that admits more ends nobody's session");

    change(&facade, 3, "groups = [\"more\"]").await;
    let refused = read(&facade, &session).await;
    assert_eq!((refused.status, refused.code()), (403, "AccessDenied"), "{}", refused.text());
    assert!(refused.text().contains("No bind of the role narrow"), "{}", refused.text());
    assert_eq!(read(&facade, &other).await.status, 200, "others go on");

    change(&facade, 4, BOUND).await;
    assert_eq!(read(&facade, &session).await.status, 200, "the bind is back, and the session is not over");
}

#[tokio::test]
async fn a_session_ends_with_its_role() {
    let facade = Facade::start().await;
    facade.put("narrow/a.json", "{}");
    let session = facade.session("narrow").await;
    assert_eq!(read(&facade, &session).await.status, 200);
    let global = facade.file("policies/_global.toml");
    let text = std::fs::read_to_string(&global).unwrap();
    std::fs::write(&global, text.replace("\"narrow.toml\", ", "")).unwrap();
    std::fs::remove_file(facade.file("policies/narrow.toml")).unwrap();
    in_force(&facade, 2).await;
    let refused = read(&facade, &session).await;
    assert_eq!((refused.status, refused.code()), (403, "AccessDenied"), "{}", refused.text());
    assert!(refused.text().contains("no longer exists"), "{}", refused.text());
    let door = facade.as_role("narrow", Ask::get("/-/credentials")).await;
    assert_eq!(door.status, 403, "nor is there another: {}", door.text());
}

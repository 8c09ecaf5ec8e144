//! The web page while its index changes, is missing, or its server is lost.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::browser::{Browser, key};
use crate::support::http::Server;
use crate::support::page::{FOCUSED, IS_FOUND, Page, tile, with_photos};
use crate::support::{TestEnv, corpus};

/// Whether the progress of a run is on the page.
const HAS_PROGRESS: &str = "!document.getElementById('progress').hidden \
                            && document.getElementById('progress-text').textContent.length > 0";

/// Whether the page offers to show a newer generation.
const HAS_OFFER: &str = "!document.getElementById('newer').hidden";

fn counts(n: usize) -> String {
    format!("count.textContent.startsWith('{n} photos')")
}

/// The first photo that is wholly in view: its id, and where it is in the window.
fn first_in_view(browser: &Browser) -> (String, f64) {
    let found = browser.value(
        "(() => {
            const top = document.getElementById('scroller').getBoundingClientRect().top;
            const boxes = [...document.querySelectorAll('.tile')]
                .map(tile => [tile.dataset.id, tile.getBoundingClientRect()])
                .filter(([, box]) => box.top >= top);
            boxes.sort(([, a], [, b]) => a.top - b.top || a.left - b.left);
            return [boxes[0][0], boxes[0][1].top];
        })()",
    );
    let id = found[0].as_str().unwrap().to_owned();
    (id, found[1].as_f64().unwrap())
}

fn place_of(browser: &Browser, id: &str) -> u64 {
    let place = browser.text(&format!(
        "document.querySelector('.tile[data-id=\"{id}\"]').getAttribute('aria-posinset')"
    ));
    place.parse().unwrap()
}

#[test]
fn a_run_started_on_the_page_is_shown_and_cancelled() {
    let Some(page) = Page::serve(with_photos(20), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    let update = |browser: &Browser| {
        browser.click("#menu-button");
        browser.click("#update");
    };
    update(browser);
    browser.wait("toast.textContent === 'The index is up to date'");
    corpus::numbered(&page.env.path("photos/more"), 3000);
    update(browser);
    browser.wait(HAS_PROGRESS);
    browser.click("#progress-cancel");
    browser.wait("toast.textContent.startsWith('Cancelled')");
    browser.wait("document.getElementById('progress').hidden");
    let run = page.server.get("/v1/status").ok()["indexing"].clone();
    let is = |name: &str| run[name].clone();
    assert_eq!((is("run"), is("running")), (2.into(), false.into()));
    assert_eq!(run["report"]["interrupted"], true);
    update(browser);
    // What is done appears at the top while the rest is indexed.
    browser.wait("toast.textContent.endsWith(' added')");
    browser.wait("count.textContent.startsWith('3,008 photos')");
    page.finish();
}

#[test]
fn runs_of_the_watcher_are_shown_without_a_way_to_cancel_them() {
    let Some(page) = Page::serve(with_photos(20), &["--watch"]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    corpus::plain(&page.env.path("photos/new.bmp"), "red");
    // At the top of all photos a newer generation is shown at once.
    browser.wait(&counts(29));
    corpus::numbered(&page.env.path("photos/more"), 3000);
    browser.wait(HAS_PROGRESS);
    assert_eq!(
        browser.value("document.getElementById('progress-cancel').hidden"),
        true
    );
    let run = page.server.get("/v1/status").ok()["indexing"].clone();
    assert_eq!(run["watcher"], true);
    let cancelled = page
        .server
        .post("/v1/index/cancel", &serde_json::json!({}))
        .problem(409, "conflict");
    assert!(cancelled.contains("watcher"), "{cancelled}");
    browser.wait("count.textContent.startsWith('3,009 photos')");
    browser.wait("document.getElementById('progress').hidden");
    page.finish();
}

#[test]
fn a_newer_generation_moves_nothing_until_it_is_asked_for() {
    let Some(page) = Page::serve(with_photos(600), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    browser.click_with(key::CONTROL, &tile(3));
    browser.wait("selected.textContent === '1 selected'");
    browser.run(
        "document.getElementById('scroller').scrollTop = 1500",
        &Value::Null,
    );
    browser.wait("new URLSearchParams(location.search).get('at') > 10");
    browser.wait("document.querySelectorAll('.tile:not([data-id])').length === 0");
    let (id, top) = first_in_view(browser);
    let place = place_of(browser, &id);

    // Another process adds photos, which come first: they are the newest.
    corpus::numbered(&page.env.path("photos/more"), 40);
    for number in 0..40 {
        let path = page.env.path(format!("photos/more/{number:04}.png"));
        fs_err::write(path, corpus::one_numbered(5000 + number)).unwrap();
    }
    page.env.index_photos();
    browser.wait(HAS_OFFER);
    assert_eq!(first_in_view(browser), (id.clone(), top));
    assert!(browser.text("count.textContent").starts_with("608 photos"));

    browser.click("#newer");
    browser.wait(&counts(648));
    // Its row may begin with another photo now.
    let now = browser.value(&format!(
        "document.querySelector('.tile[data-id=\"{id}\"]').getBoundingClientRect().top"
    ));
    let now = now.as_f64().unwrap();
    assert!((now - top).abs() < 1.0, "{top} {now}");
    assert_eq!(place_of(browser, &id), place + 40);
    browser.wait(&format!("!({HAS_OFFER})"));
    assert_eq!(browser.text("selected.textContent"), "1 selected");

    // A photo that is open stays open, and its neighbours are those of the list that is shown.
    browser.keys(key::ESCAPE);
    browser.run(
        "document.querySelector(`.tile[data-id='${arguments[0]}']`).click()",
        &id.as_str().into(),
    );
    browser.wait("document.getElementById('viewer').open");
    let shown = format!("document.getElementById('photo').dataset.id === '{id}'");
    browser.wait(&shown);
    fs_err::remove_dir_all(page.env.path("photos/more")).unwrap();
    page.env.index_photos();
    browser.wait(HAS_OFFER);
    assert_eq!(browser.value(&shown), true);
    browser.keys(&format!("{}{}", key::RIGHT, key::LEFT));
    browser.wait(&shown);
    browser.keys(key::ESCAPE);
    browser.wait(&format!("{FOCUSED} === '{}'", place + 40));
    browser.click("#newer");
    browser.wait(&counts(608));
    // The photo that had the focus still has it, at its new place.
    browser.wait(&format!("{FOCUSED} === '{place}'"));
    page.finish();
}

#[test]
fn a_generation_that_changes_nothing_in_view_is_not_offered() {
    let Some(page) = Page::serve(with_photos(60), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    page.search("yellow");
    let before = page.server.get("/v1/status").ok()["generation"].clone();
    page.env.index_photos();
    let answers = "window.asked = 0;
        const ask = window.fetch;
        window.fetch = (...of) => ask(...of).finally(() => { window.asked += 1; });";
    browser.run(answers, &Value::Null);
    page.env.succeed(["index", "photos", "--reread"]);
    browser.wait("window.asked > 0");
    let after = page.server.get("/v1/status").ok()["generation"].clone();
    assert_ne!(before, after);
    assert_eq!(browser.value(HAS_OFFER), false);
    page.finish();
}

#[test]
fn photos_stay_while_the_server_is_lost() {
    let Some(page) = Page::serve(with_photos(300), &[]) else {
        return;
    };
    let Page {
        browser,
        mut server,
        env,
    } = page;
    let address = server.address.clone();
    browser.open(&format!("http://{address}/"));
    browser.wait(IS_FOUND);
    browser.run(
        "document.getElementById('scroller').scrollTop = 900",
        &Value::Null,
    );
    browser.wait("new URLSearchParams(location.search).get('at') > 4");
    let (id, top) = first_in_view(&browser);
    server.signal(Signal::SIGINT);
    assert_eq!(server.wait(), Some(0));
    browser.wait("!document.getElementById('lost').hidden");
    let said = browser.text("document.getElementById('lost').textContent");
    assert!(said.contains("sightline serve"), "{said}");
    assert_eq!(first_in_view(&browser), (id.clone(), top));

    let port = address.rsplit_once(':').unwrap().1;
    let command = env.sightline(["serve", "--port", port]);
    let again = Server::of(command);
    browser.wait("document.getElementById('lost').hidden");
    browser.wait(IS_FOUND);
    let (same, now) = first_in_view(&browser);
    assert_eq!(same, id);
    assert!((now - top).abs() < 1.0, "{top} {now}");
    // The list of the server before is replaced where it is missing.
    browser.keys(key::END);
    browser.wait(&format!("{FOCUSED} === '308'"));
    browser.wait("document.activeElement.querySelector('img') !== null");
    drop(again);
}

#[test]
fn photos_appear_once_there_is_an_index() {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    let Some(page) = Page::serve(env, &[]) else {
        return;
    };
    let browser = &page.browser;
    page.go("/");
    browser.wait("document.querySelector('#state h2')?.textContent === 'There is no index yet'");
    page.assert_accessible("no index");
    page.env.index_photos();
    browser.wait(IS_FOUND);
    browser.wait(&counts(8));
    page.stop();
}

#[test]
fn cursors_of_an_earlier_server_name_no_list() {
    let env = TestEnv::indexed();
    let first = |server: &Server| {
        let list = server.get("/v1/search?q=type:png&limit=2").ok();
        list["next"].as_str().unwrap().to_owned()
    };
    let mut before = Server::start(&env, &[]);
    let cursor = first(&before);
    let at = format!("/v1/search?cursor={cursor}");
    assert_eq!(before.get(&at).ok()["hits"].as_array().unwrap().len(), 6);
    before.signal(Signal::SIGINT);
    assert_eq!(before.wait(), Some(0));
    let server = Server::start(&env, &[]);
    assert_ne!(first(&server), cursor);
    server.get(&at).problem(410, "list-expired");
    // Scripts can hold the number of a list exactly.
    let number: u64 = cursor.split_once('.').unwrap().0.parse().unwrap();
    assert!(number < 1 << 53);
}

//! The web page in a real browser, on a real server.

use std::path::Path;

use base64::Engine as _;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::browser::{Browser, key};
use crate::support::http::Server;
use crate::support::{TestEnv, corpus};

/// A server and a browser that shows its page.
struct Page {
    browser: Browser,
    server: Server,
    env: TestEnv,
}

impl Page {
    /// `None` where there is no browser.
    fn start(env: TestEnv, width: u32, height: u32) -> Option<Self> {
        let browser = Browser::start(width, height)?;
        let server = Server::start(&env, &[]);
        Some(Self {
            browser,
            server,
            env,
        })
    }

    /// Goes to an address of the server.
    fn go(&self, path: &str) {
        self.browser
            .open(&format!("http://{}{path}", self.server.address));
    }

    /// Goes to a part of the page, and waits for its first photo.
    fn open(&self, address: &str) {
        self.go(address);
        self.browser.wait(IS_FOUND);
    }

    /// Types a query and waits for its hits.
    fn search(&self, text: &str) {
        self.browser.keys("/");
        self.browser.keys(&format!("{text}{}", key::ENTER));
        let asked = Value::from(text).to_string();
        self.browser.wait(&format!(
            "new URLSearchParams(location.search).get('q') === {asked}"
        ));
        self.browser.wait(IS_FOUND);
    }

    fn finish(self) {
        let Self {
            browser,
            mut server,
            ..
        } = self;
        browser.assert_no_error();
        server.signal(Signal::SIGINT);
        assert_eq!(server.wait(), Some(0));
    }
}

/// Whether the answer to what was asked last is on the page.
const IS_FOUND: &str = "!document.body.classList.contains('busy') \
                        && document.querySelectorAll('.tile img').length > 0";

/// The name of the first photo.
const FIRST: &str = "document.querySelector('.tile[aria-posinset=\"1\"] img').alt";

/// The place of the photo that has the focus.
const FOCUSED: &str = "document.activeElement.getAttribute('aria-posinset')";

/// An index of one picture of each colour, and of `n` others, some of them with captions.
fn with_photos(n: usize) -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::numbered_with_captions(&env.path("photos"), n, &[]);
    env.succeed(["index", "photos", "--captions", "photos/captions.jsonl"]);
    env
}

fn tile(place: usize) -> String {
    format!(".tile[aria-posinset=\"{place}\"]")
}

#[test]
fn words_find_photos_and_back_keeps_the_place() {
    let Some(page) = Page::start(with_photos(600), 1000, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    assert!(browser.text("count.textContent").starts_with("608 photos"));
    page.search("red");
    assert_eq!(browser.text(FIRST), "red.png");
    assert_eq!(browser.text("document.title"), "red – Sightline");
    let scrolled = "document.getElementById('scroller').scrollTop";
    browser.run(
        "document.getElementById('scroller').scrollTop = 2300",
        &Value::Null,
    );
    browser.wait("new URLSearchParams(location.search).get('at') > 10");
    browser.wait(IS_FOUND);
    let before = browser.value(scrolled);
    page.search("blue");
    assert_eq!(browser.text(FIRST), "blue.png");
    browser.back();
    browser.wait("new URLSearchParams(location.search).get('q') === 'red'");
    browser.wait(IS_FOUND);
    browser.wait(&format!("Math.abs({scrolled} - {before}) < 2"));
    page.finish();
}

#[test]
fn a_dropped_and_a_chosen_picture_find_photos_like_them() {
    let Some(page) = Page::start(with_photos(40), 1000, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    let picture = fs_err::read(page.env.path("photos/green.png")).unwrap();
    let picture = base64::prelude::BASE64_STANDARD.encode(picture);
    let drop = "const bytes = Uint8Array.from(atob(arguments[0]), one => one.charCodeAt(0));
        const dataTransfer = new DataTransfer();
        dataTransfer.items.add(new File([bytes], 'x.png', { type: 'image/png' }));
        for (const type of ['dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type,
                { dataTransfer, bubbles: true, cancelable: true }));
        }";
    browser.run(drop, &picture.into());
    browser.wait("location.search.includes('picture=')");
    browser.wait(IS_FOUND);
    assert_eq!(browser.text(FIRST), "green.png");
    assert_eq!(
        browser.value("document.querySelectorAll('#parts .part').length"),
        1
    );

    browser.choose("#picker", &page.env.path("photos/pink.png"));
    browser.wait(&format!("{FIRST} === 'pink.png'"));
    browser.click("#parts .part");
    browser.wait("location.search === ''");
    browser.wait(IS_FOUND);
    page.finish();
}

#[test]
fn a_photo_opens_with_what_is_known_and_leads_to_similar_ones() {
    let Some(page) = Page::start(with_photos(60), 1200, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/?q=yellow");
    browser.click(&tile(1));
    browser.wait("document.getElementById('photo').classList.contains('ready')");
    assert_eq!(
        browser.text("document.getElementById('photo').alt"),
        "yellow.png"
    );
    browser.keys("i");
    browser.wait("document.querySelector('#details code') !== null");
    let path = page.env.path("photos/yellow.png");
    assert_eq!(
        browser.text("document.querySelector('#details code').textContent"),
        path.to_str().unwrap()
    );
    browser.keys(key::RIGHT);
    browser.wait("document.getElementById('v-place').textContent.startsWith('2 of ')");
    browser.keys(key::ESCAPE);
    browser.wait("!document.getElementById('viewer').open");
    browser.wait(&format!("{FOCUSED} === '2'"));
    browser.click(&tile(1));
    browser.wait("document.getElementById('viewer').open");
    browser.click("#v-like");
    browser.wait("location.search.startsWith('?like=')");
    browser.wait(IS_FOUND);
    browser.back();
    browser.wait("document.getElementById('viewer').open");
    browser.back();
    browser.wait("!document.getElementById('viewer').open");
    assert_eq!(browser.text(FIRST), "yellow.png");
    page.finish();
}

#[test]
fn a_chip_writes_a_filter_into_the_search_box() {
    let Some(page) = Page::start(with_photos(30), 1000, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    let open = "[...document.querySelectorAll('.chip')]
        .find(one => one.textContent === arguments[0]).click()";
    browser.run(open, &"More".into());
    browser.wait("document.querySelectorAll('#popover button').length > 1");
    browser.click("#popover button");
    browser.wait("document.getElementById('q').value === 'has:caption'");
    browser.wait("count.textContent.startsWith('3 photos')");
    browser.click("#chips .chip.on");
    browser.wait("count.textContent.startsWith('38 photos')");
    browser.run(open, &"Type".into());
    browser.wait("document.querySelectorAll('#popover button').length === 1");
    browser.click("#popover button");
    browser.wait("document.getElementById('q').value === 'type:png'");
    browser.wait("count.textContent.startsWith('38 photos')");
    page.finish();
}

#[test]
fn a_range_and_all_results_are_selected_and_exported() {
    let Some(page) = Page::start(with_photos(250), 1000, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    browser.click_with(key::CONTROL, &tile(3));
    browser.wait("selected.textContent === '1 selected'");
    browser.click_with(key::SHIFT, &tile(7));
    browser.wait("selected.textContent === '5 selected'");
    let marked = "document.querySelectorAll('.tile[aria-selected=\"true\"]').length";
    assert_eq!(browser.value(marked), 5);
    browser.click("#select-all");
    browser.wait("selected.textContent === '258 selected'");
    // What is offered as a file is kept here instead of being saved.
    browser.run(
        "window.saved = new Promise(done => { URL.createObjectURL = blob => {
            blob.text().then(done); return 'blob:x'; }; });
        HTMLAnchorElement.prototype.click = () => {};
        saved.then(text => { window.listed = text.trim().split('\\n').length; });",
        &Value::Null,
    );
    browser.click("#export-list");
    browser.wait("window.listed === 258");
    browser.keys(key::ESCAPE);
    browser.wait("document.getElementById('selection').hidden");
    page.finish();
}

#[test]
fn the_keyboard_is_enough() {
    let Some(page) = Page::start(with_photos(300), 1000, 800) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    page.search("cyan");
    assert_eq!(browser.text(FIRST), "cyan.png");
    browser.keys(key::DOWN);
    browser.wait(&format!("{FOCUSED} === '1'"));
    browser.keys(key::RIGHT);
    browser.wait(&format!("{FOCUSED} === '2'"));
    browser.keys(key::PAGE_DOWN);
    browser.wait(&format!("Number({FOCUSED}) > 10"));
    browser.keys(key::END);
    browser.wait(&format!("{FOCUSED} === '308'"));
    browser.wait("document.activeElement.querySelector('img') !== null");
    browser.keys(key::HOME);
    browser.wait(&format!("{FOCUSED} === '1'"));
    browser.keys(" ");
    browser.wait("selected.textContent === '1 selected'");
    browser.keys_with(key::SHIFT, &format!("{0}{0}", key::RIGHT));
    browser.wait("selected.textContent === '3 selected'");
    browser.keys(key::ESCAPE);
    browser.wait("document.getElementById('selection').hidden");
    browser.keys(&format!("{}{}", key::HOME, key::ENTER));
    browser.wait("document.getElementById('viewer').open");
    browser.keys(key::ESCAPE);
    browser.wait(&format!("{FOCUSED} === '1'"));
    browser.keys("?");
    browser.wait("document.getElementById('sheet').open");
    browser.keys(key::ESCAPE);
    browser.wait("!document.getElementById('sheet').open");
    page.finish();
}

#[test]
fn ten_thousand_results_scroll_to_the_end() {
    const N: usize = 10_000;
    let env = TestEnv::new();
    if Browser::start(100, 100).is_none() {
        return;
    }
    corpus::numbered(&env.path("photos"), N);
    env.index_photos();
    let Some(page) = Page::start(env, 1200, 900) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    // No row is missing and there are never more than a few screens of tiles; none is passed over
    // among the first and the last 1,000 photos. Between them every tenth screen has to do: the
    // server would make thumbnails for minutes.
    let walk = "const [n, done] = arguments;
        const scroller = document.getElementById('scroller');
        const shown = () => {
            const view = scroller.getBoundingClientRect();
            return [...document.querySelectorAll('.tile')]
                .map(tile => [Number(tile.ariaPosInSet), tile.getBoundingClientRect()])
                .filter(([, box]) => box.bottom > view.top + 1 && box.top < view.bottom - 1)
                .map(([place]) => place).sort((a, b) => a - b);
        };
        let [seen, steps, tiles, waits, isFast] = [0, 0, 0, 0, false];
        const look = () => {
            const places = shown();
            tiles = Math.max(tiles, document.querySelectorAll('.tile').length);
            const [first, last] = [places[0], places.at(-1)];
            if (!(last > seen)) {
                waits += 1;
                if (waits > 300) return done(`stuck after ${seen}`);
                return requestAnimationFrame(look);
            }
            if (last + 1 - first !== places.length) return done(`rows are missing: ${places}`);
            if (first > seen + 1 && !isFast) return done(`${seen} to ${first} were passed over`);
            [seen, waits, steps] = [last, 0, steps + 1];
            if (seen === n) return done([steps, tiles]);
            isFast = seen > 1000 && seen < n - 1500;
            scroller.scrollTop += scroller.clientHeight * (isFast ? 9 : 0.9);
            return requestAnimationFrame(look);
        };
        look();";
    let walked = browser.run_async(walk, &N.into());
    let [steps, tiles] = [0, 1].map(|at| walked[at].as_u64());
    assert!(steps.is_some_and(|steps| steps > 100), "{walked}");
    assert!(tiles.is_some_and(|tiles| tiles < 300), "{walked}");
    browser.wait(&format!(
        "document.querySelector('{} img') !== null",
        tile(N)
    ));
    browser.keys(key::HOME);
    browser.wait(&format!("{FOCUSED} === '1'"));
    page.finish();
}

#[test]
fn axe_finds_nothing_serious() {
    let Some(page) = Page::start(with_photos(60), 1200, 800) else {
        return;
    };
    let browser = &page.browser;
    let mut n_checked = 0;
    let mut check = |what: &str| {
        let findings = browser.findings();
        let is_serious = |one: &&String| one.starts_with("serious") || one.starts_with("critical");
        let serious: Vec<&String> = findings.iter().filter(is_serious).collect();
        assert!(serious.is_empty(), "{what}: {serious:#?}");
        n_checked += 1;
    };
    page.open("/");
    check("all photos");
    page.open("/?q=red+has:caption");
    check("results");
    browser.click(&tile(1));
    browser.keys("i");
    browser.wait("document.querySelector('#details code') !== null");
    check("a photo");
    browser.keys(key::ESCAPE);
    browser.wait("!document.getElementById('viewer').open");
    browser.keys("?");
    browser.wait("document.getElementById('sheet').open");
    check("keys");
    for (view, ready) in [("map", "#view canvas"), ("duplicates", "#view h2")] {
        page.go(&format!("/?view={view}"));
        browser.wait(&format!("document.querySelector('{ready}') !== null"));
        check(view);
    }
    assert_eq!(n_checked, 6);
    page.finish();
}

#[test]
fn the_page_names_no_other_server() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web/page");
    let mut n_files = 0;
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs_err::read_to_string(&path).unwrap();
        let addresses = text.matches("http").count();
        // Links that a reader may follow, and the name of a namespace.
        let known = [
            "https://www.openstreetmap.org/",
            "http://www.w3.org/2000/svg",
        ];
        let n_known: usize = known.iter().map(|one| text.matches(one).count()).sum();
        assert_eq!(addresses, n_known, "{}", path.display());
        n_files += 1;
    }
    assert!(n_files > 10, "{n_files} files");
}

//! The web page in a real browser, on a real server.

use std::path::Path;

use serde_json::Value;

use crate::support::browser::{Browser, key};
use crate::support::page::{FIRST, FOCUSED, IS_FOUND, Page, tile, with_photos};
use crate::support::{TestEnv, corpus};

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
    page.drop_picture("photos/green.png");
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

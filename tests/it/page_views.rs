//! The views, dialogs and keys of the web page, its languages, and what axe-core says of it.

use std::path::Path;

use serde_json::{Map, Value};

use crate::support::browser::{Browser, key};
use crate::support::http::Server;
use crate::support::page::{FIRST, FOCUSED, IS_FOUND, Page, tile, with_photos};
use crate::support::{TestCommand, TestEnv, corpus};

/// Whether the map of heat is on the photo, and not of one colour.
const HAS_HEAT: &str = "(() => {
    const heat = document.getElementById('heat');
    if (heat.hidden || !heat.width) return false;
    const { data } = heat.getContext('2d').getImageData(0, 0, heat.width, heat.height);
    return new Set(new Uint32Array(data.buffer)).size > 1;
})()";

const IS_OPEN: &str = "document.getElementById('viewer').open";

/// The words of the page in a language.
fn words(language: &str) -> Map<String, Value> {
    let path = format!("src/web/page/{language}.json");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    serde_json::from_str(&fs_err::read_to_string(path).unwrap()).unwrap()
}

fn placeholders(words: &str) -> Vec<&str> {
    let parts = words.split('{').skip(1);
    let mut names: Vec<&str> = parts.map(|part| part.split('}').next().unwrap()).collect();
    names.sort_unstable();
    names
}

#[test]
fn both_languages_have_the_same_words_with_the_same_values() {
    let (english, chinese) = (words("en"), words("zh"));
    assert!(english.len() > 120);
    let names = |words: &Map<String, Value>| words.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&english), names(&chinese));
    for (name, words) in &english {
        let others = chinese[name].as_str().unwrap();
        assert_eq!(
            placeholders(words.as_str().unwrap()),
            placeholders(others),
            "{name}"
        );
    }
}

#[test]
fn a_chinese_browser_gets_chinese_words() {
    let Some(browser) = Browser::start_in("zh-CN,zh;q=0.9,en;q=0.5", 1000, 800) else {
        return;
    };
    let page = Page::of(browser, with_photos(20), &[]);
    let browser = &page.browser;
    page.open("/");
    assert_eq!(browser.text("document.documentElement.lang"), "zh-CN");
    assert!(browser.text("count.textContent").starts_with("28 张照片"));
    let said = browser.value(
        "[...document.querySelectorAll('[data-say]')]
            .map(one => [one.dataset.say, one.textContent])",
    );
    let chinese = words("zh");
    let mut n_said = 0;
    for pair in said.as_array().unwrap() {
        assert_eq!(chinese[pair[0].as_str().unwrap()], pair[1]);
        n_said += 1;
    }
    assert!(n_said > 10, "{n_said}");
    page.search("red");
    browser.click(&tile(1));
    browser.keys("i");
    browser.wait("document.querySelector('#details h3')?.textContent === '说明文字'");
    page.finish();
}

#[test]
fn a_pasted_picture_finds_photos_and_captions() {
    let env = with_photos(40);
    env.write(
        "photos/captions.jsonl",
        "{\"image\": \"blue.png\", \"captions\": [\"blue\"]}\n\
         {\"image\": \"red.png\", \"captions\": [\"red\"]}\n",
    );
    env.succeed(["index", "photos", "--captions", "photos/captions.jsonl"]);
    let Some(page) = Page::serve(env, &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    page.paste_picture("photos/blue.png");
    assert_eq!(browser.text(FIRST), "blue");
    browser.click("#picture-captions");
    browser.wait("document.querySelectorAll('#sheet .captions small').length > 1");
    let first = "document.querySelector('#sheet .captions li').firstChild.textContent";
    assert_eq!(browser.text(first), "blue");
    let image = "document.querySelector('#sheet img').naturalWidth";
    browser.wait(&format!("{image} === 48"));
    page.assert_accessible("captions of a picture");
    browser.keys(key::ESCAPE);
    browser.wait("!document.getElementById('sheet').open");
    browser.click("#clear");
    browser.wait("location.search === ''");
    browser.wait(IS_FOUND);
    page.finish();
}

#[test]
fn a_photo_shows_which_parts_match_which_words() {
    let env = with_photos(20);
    let halves = corpus::halves("red", "black");
    corpus::save(&env.path("photos/halves.png"), &halves);
    env.index_photos();
    let Some(page) = Page::serve(env, &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/?q=red");
    let halves =
        "[...document.querySelectorAll('.tile img')].find(one => one.alt === 'halves.png')";
    browser.wait(&format!("{halves} !== undefined"));
    browser.run(&format!("{halves}.click()"), &Value::Null);
    browser.keys("w");
    browser.wait(HAS_HEAT);
    let field = "document.querySelector('#details .why input').value";
    assert_eq!(browser.text(field), "red");
    // Red is on the left: the map is brighter there.
    let light = |left: &str| {
        browser.value(&format!(
            "(() => {{
                const heat = document.getElementById('heat');
                const x = Math.floor({left} * heat.width);
                const pixel = heat.getContext('2d').getImageData(x, heat.height >> 1, 1, 1).data;
                return pixel[0] + pixel[1];
            }})()"
        ))
    };
    let [left, right] = ["0.2", "0.8"].map(|at| light(at).as_u64().unwrap());
    assert!(left > right, "{left} {right}");
    page.assert_accessible("the map of heat");
    // Other words are explained where they are typed.
    browser.run(
        "const field = document.querySelector('#details .why input');
         field.value = 'black'; field.form.requestSubmit();",
        &Value::Null,
    );
    browser.wait(&format!("{field} === 'black'"));
    browser.wait(HAS_HEAT);
    browser.keys("w");
    browser.wait("document.getElementById('heat').hidden");
    page.finish();
}

#[test]
fn the_folder_of_a_photo_is_named_copied_and_searched() {
    let Some(page) = Page::serve(with_photos(20), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/?q=cyan");
    browser.click(&tile(1));
    browser.keys("i");
    browser.wait("document.querySelectorAll('#details code').length === 2");
    let folder = page.env.path("photos");
    let folder = folder.to_str().unwrap();
    let shown = "document.querySelectorAll('#details code')[1].textContent";
    assert_eq!(browser.text(shown), folder);
    // What is copied is kept here: a browser without a window has no clipboard.
    browser.run(
        "navigator.clipboard.writeText = async text => { window.copied = text; };",
        &Value::Null,
    );
    browser.click("#details [aria-label='Copy folder path']");
    browser.wait("toast.textContent === 'Path copied'");
    assert_eq!(browser.text("window.copied"), folder);
    // Keys work after a button that disappears when it is pressed.
    browser.click("#details .captions + .link");
    browser.wait("document.querySelector('#details .captions + .link') === null");
    browser.keys("w");
    browser.wait("!document.getElementById('heat').hidden");
    browser.click("#details .links button");
    browser.wait(&format!("!{IS_OPEN}"));
    browser.wait("document.getElementById('q').value.startsWith('in:')");
    browser.wait("count.textContent.startsWith('28 photos')");
    page.finish();
}

#[test]
fn selected_photos_are_copied_into_a_folder_that_a_dialog_asks_for() {
    let env = with_photos(20);
    let copies = env.path("copies");
    let Some(page) = Page::serve(env, &["--allow-copy", copies.to_str().unwrap()]) else {
        return;
    };
    let browser = &page.browser;
    page.go("/");
    browser.wait("document.querySelector('#sheet input') !== null");
    page.assert_accessible("the token");
    // It cannot be passed over.
    browser.keys(key::ESCAPE);
    browser.wait("document.getElementById('sheet').open");
    browser.keys(&format!("wrong{}", key::ENTER));
    browser.wait("document.querySelector('#sheet [role=alert]').textContent.length > 0");
    browser.run(
        "document.querySelector('#sheet input').value = ''",
        &Value::Null,
    );
    let token = page.server.token.clone().unwrap();
    browser.keys(&format!("{token}{}", key::ENTER));
    browser.wait(IS_FOUND);
    browser.click_with(key::CONTROL, &tile(1));
    browser.click_with(key::CONTROL, &tile(2));
    browser.click("#copy-to");
    browser.wait("document.getElementById('sheet').open");
    page.assert_accessible("the folder of copies");
    browser.keys(&format!("../out{}", key::ENTER));
    browser.wait("document.querySelector('#sheet [role=alert]').textContent.includes('trip/best')");
    browser.run(
        "document.querySelector('#sheet input').value = ''",
        &Value::Null,
    );
    browser.keys(&format!("trip/best{}", key::ENTER));
    browser.wait("toast.textContent.startsWith('2 copied to ')");
    browser.wait("!document.getElementById('sheet').open");
    assert_eq!(
        fs_err::read_dir(copies.join("trip/best")).unwrap().count(),
        2
    );
    assert!(!copies.parent().unwrap().join("out").exists());
    page.stop();
}

/// Photos, and a model that knows how similar unrelated pictures and texts are.
fn calibrated(n: usize) -> Option<Page> {
    let browser = Browser::start(1000, 800)?;
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::numbered(&env.path("photos"), n);
    let model = env.colour_model("calibrated", "0.5");
    let manifest = fs_err::read_to_string(model.join("sightline.toml")).unwrap();
    let kinds = ["text-picture", "text-text", "picture-picture"];
    let kinds = kinds.map(|kind| format!("{kind} = {{ mean = 0.0, deviation = 0.15 }}\n"));
    let manifest = format!("{manifest}\n[unrelated]\n{}", kinds.concat());
    env.write("calibrated/sightline.toml", manifest);
    let with_model = |command: TestCommand| command.env("SIGHTLINE_MODEL", &model);
    with_model(env.sightline(["index", "photos"]))
        .run()
        .expect(0);
    let server = Server::of(with_model(env.sightline(["serve", "--port", "0"])));
    Some(Page {
        browser,
        server,
        env,
    })
}

#[test]
fn by_date_only_likely_hits_are_left() {
    let Some(page) = calibrated(60) else {
        return;
    };
    let browser = &page.browser;
    page.open("/?q=red");
    let n_likely = browser.value("Number(count.textContent.match(/(\\d+) likely/)?.[1] ?? 0)");
    assert!(
        n_likely.as_u64().is_some_and(|n| n > 0 && n < 68),
        "{n_likely}"
    );
    browser.click("#sort button[value=date]");
    browser.wait(&format!("count.textContent.startsWith('{n_likely} photo')"));
    browser.wait("document.querySelector('#chips .chip.on').textContent === 'Fair or better'");
    browser.click("#sort button[value='']");
    browser.wait("count.textContent.startsWith('68 photos')");
    assert_eq!(
        browser.value("document.querySelector('#chips .chip.on')"),
        Value::Null
    );
    page.finish();
}

#[test]
fn every_view_answers_to_keys() {
    let Some(page) = Page::serve(with_photos(300), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    let place = "Number(document.getElementById('v-place').textContent.split(' ')[0])";
    browser.keys(&format!("{0}{0}", key::DOWN));
    browser.wait(&format!("Number({FOCUSED}) > 2"));
    browser.keys(key::UP);
    browser.wait(&format!("{FOCUSED} === '1'"));
    browser.keys(&format!("{}{}", key::PAGE_DOWN, key::PAGE_UP));
    browser.wait(&format!("{FOCUSED} === '1'"));
    browser.keys(&format!("{}i", key::RIGHT));
    browser.wait(IS_OPEN);
    browser.wait("document.querySelector('#details code') !== null");
    browser.wait(&format!("{place} === 2"));
    browser.keys(key::PAGE_DOWN);
    browser.wait(&format!("{place} === 12"));
    browser.keys(key::END);
    browser.wait(&format!("{place} === 308"));
    browser.keys(key::HOME);
    browser.wait(&format!("{place} === 1"));
    browser.keys("++");
    browser.wait("document.getElementById('stage').classList.contains('zoomed')");
    browser.keys("0");
    browser.wait("!document.getElementById('stage').classList.contains('zoomed')");
    browser.keys("?");
    browser.wait("document.getElementById('sheet').open");
    // Keys belong to what is on top.
    browser.keys(key::RIGHT);
    browser.keys(key::ESCAPE);
    browser.wait("!document.getElementById('sheet').open");
    assert_eq!(browser.value(&format!("{IS_OPEN} && {place} === 1")), true);
    browser.keys("s");
    browser.wait(&format!("!{IS_OPEN}"));
    browser.wait("location.search.startsWith('?like=')");
    browser.wait(IS_FOUND);
    // One step in the history, not one for each listener.
    browser.back();
    browser.wait(IS_OPEN);
    browser.keys(key::ESCAPE);
    browser.wait(&format!("!{IS_OPEN}"));

    page.go("/?view=map");
    browser.wait("document.querySelector('#view canvas') !== null");
    browser.wait("count.textContent.includes('308 photos')");
    browser.run(
        "document.querySelector('#view canvas').focus()",
        &Value::Null,
    );
    browser.keys(&format!("+{}", key::ENTER));
    browser.wait(IS_OPEN);
    browser.keys(key::ESCAPE);
    browser.wait(&format!("!{IS_OPEN}"));
    // The head is reached by Tab alone, and leads back to all photos.
    browser.run(
        "document.activeElement.blur(); getSelection().removeAllRanges();",
        &Value::Null,
    );
    let mut n_tabs = 0;
    while browser.value("document.activeElement.id === 'all'") != true {
        browser.keys(key::TAB);
        n_tabs += 1;
        assert!(n_tabs < 20);
    }
    browser.keys(key::ENTER);
    browser.wait("location.search === ''");
    browser.wait(IS_FOUND);
    page.finish();
}

#[test]
fn axe_finds_nothing_serious_in_light_and_dark() {
    let Some(page) = Page::start(with_photos(60), 1200, 800) else {
        return;
    };
    fs_err::copy(
        page.env.path("photos/red.png"),
        page.env.path("photos/copy.png"),
    )
    .unwrap();
    page.env.index_photos();
    let browser = &page.browser;
    let mut n_checked = 0;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        let mut check = |what: &str| {
            page.assert_accessible(&format!("{what}, {scheme}"));
            n_checked += 1;
        };
        page.open("/");
        check("all photos");
        browser.click_with(key::CONTROL, &tile(1));
        browser.wait("!document.getElementById('selection').hidden");
        check("a selection");
        browser.click("#menu-button");
        browser.wait("document.querySelector('#menu:popover-open') !== null");
        check("the menu");
        page.open("/?q=red+has:caption");
        check("results");
        browser.click("#chips .chip:last-child");
        browser.wait("document.querySelector('#popover form') !== null");
        check("filters");
        page.open("/?q=camra:x+red");
        browser.wait("!document.getElementById('notice').hidden");
        check("a notice");
        page.open("/?q=red");
        browser.click(&tile(1));
        browser.keys("i");
        browser.wait("document.querySelector('#details code') !== null");
        check("a photo");
        browser.keys(key::ESCAPE);
        browser.wait(&format!("!{IS_OPEN}"));
        browser.keys("?");
        browser.wait("document.getElementById('sheet').open");
        check("keys");
        for (address, ready) in [
            ("?view=map", "#view canvas"),
            ("?view=duplicates", "#view figure"),
            ("?q=type:nothing", "#state h2"),
        ] {
            page.go(&format!("/{address}"));
            browser.wait(&format!("document.querySelector('{ready}') !== null"));
            check(address);
        }
    }
    assert_eq!(n_checked, 22);
    page.finish();
}

/// Whether what is said is on top of everything else at its place.
const IS_SEEN: &str = "(() => {
    const box = document.getElementById('toast').getBoundingClientRect();
    const at = [box.left + box.width / 2, box.top + box.height / 2];
    return box.width > 0 && document.elementFromPoint(...at)?.id === 'toast';
})()";

#[test]
fn what_is_said_is_seen_over_an_open_photo() {
    let Some(page) = Page::serve(with_photos(20), &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/?q=red");
    browser.click(&tile(1));
    browser.wait("document.getElementById('photo').classList.contains('ready')");
    browser.run(
        "navigator.clipboard.writeText = async () => { throw new Error('denied'); };",
        &Value::Null,
    );
    browser.keys("c");
    browser.wait("toast.textContent === 'Something went wrong: denied'");
    browser.wait(IS_SEEN);
    // It stays when the photo is closed.
    browser.keys(key::ESCAPE);
    browser.wait(&format!("!{IS_OPEN}"));
    browser.wait(IS_SEEN);

    // A photo that is not there is not shown as an empty viewer.
    page.go("/?q=red&open=99999");
    browser.wait("toast.textContent.includes('99999')");
    browser.wait(IS_SEEN);
    browser.wait(&format!("!{IS_OPEN}"));
    browser.wait("location.search === '?q=red'");
    browser.wait(IS_FOUND);
    assert_eq!(browser.text(FIRST), "red.png");
    page.stop();
}

#[test]
fn names_and_captions_are_shown_as_the_command_line_prints_them() {
    let env = TestEnv::new();
    let deceiving = "photos/rtl \u{202e}gpj.exe.png";
    corpus::plain(&env.path(deceiving), "red");
    corpus::plain(&env.path("photos/back\\slash.png"), "blue");
    corpus::plain(&env.path("photos/named.png"), "green");
    env.write(
        "photos/captions.jsonl",
        "{\"image\": \"named.png\", \"captions\": [\"a \u{2066}tale\u{1b}\"]}\n"
            .replace('\u{1b}', "\\u001b"),
    );
    env.succeed(["index", "photos", "--captions", "photos/captions.jsonl"]);
    let Some(page) = Page::serve(env, &[]) else {
        return;
    };
    let browser = &page.browser;
    page.open("/");
    let names =
        browser.value("[...document.querySelectorAll('.tile img')].map(image => image.alt).sort()");
    let expected = [
        "a \\u{2066}tale\\u{1b}",
        "back\\slash.png",
        "rtl \\u{202e}gpj.exe.png",
    ];
    assert_eq!(names, Value::from(&expected[..]));
    let printed = page.env.succeed(["search", "type:png"]);
    for name in expected {
        assert!(printed.stdout().contains(name), "{}", printed.stdout());
    }

    let open = |name: &str| {
        let click = "[...document.querySelectorAll('.tile img')]
            .find(image => image.alt === arguments[0]).click()";
        browser.run(click, &name.into());
        browser.wait(IS_OPEN);
        let title = Value::from(name).to_string();
        browser.wait(&format!(
            "document.getElementById('photo').alt === {title}
                && document.querySelector('#details code') !== null"
        ));
    };
    let shown = "document.getElementById('details').innerText";
    open(expected[2]);
    browser.keys("i");
    browser.wait(&format!("{shown}.length > 0"));
    let said = browser.text(shown);
    assert!(said.contains("/photos/rtl \\u{202e}gpj.exe.png"), "{said}");
    assert!(!said.contains('\u{202e}'), "{said}");
    // What is copied is the path itself.
    browser.run(
        "navigator.clipboard.writeText = async text => { window.copied = text; };",
        &Value::Null,
    );
    browser.keys("c");
    browser.wait("window.copied !== undefined");
    assert!(browser.text("window.copied").ends_with(deceiving));
    browser.keys(key::ESCAPE);
    browser.wait(&format!("!{IS_OPEN}"));

    open(expected[0]);
    let said = browser.text(shown);
    assert!(said.contains(expected[0]), "{said}");
    browser.keys(key::ESCAPE);
    browser.wait(&format!("!{IS_OPEN}"));

    // On this system a `\` is a part of a name, so the folder is the one that the file is in.
    open(expected[1]);
    let title = "document.querySelector('#details h2').textContent";
    assert_eq!(browser.text(title), expected[1]);
    let folder = "document.querySelectorAll('#details code')[1].textContent";
    assert_eq!(
        browser.text(folder),
        page.env.path("photos").to_str().unwrap()
    );
    browser.click("#details .links button");
    browser.wait("document.getElementById('q').value.startsWith('in:')");
    browser.wait("count.textContent.startsWith('3 photos')");
    page.finish();
}

#[test]
fn what_an_address_cannot_mean_is_named_and_taken_out() {
    let Some(page) = Page::serve(with_photos(20), &[]) else {
        return;
    };
    let browser = &page.browser;
    let left_out = "Not understood in the address and left out: ";
    for (address, unknown, rest) in [
        ("?q=red&sort=zzz", "sort=zzz", "?q=red"),
        ("?like=abc", "like=abc", ""),
        ("?like=1,abc,2", "like=abc", "?like=1,2"),
        ("?view=nonsense", "view=nonsense", ""),
        ("?view=map&min=2&min=x", "min=2, min=x", "?view=map"),
        (
            "?open=first&at=-1&sorted=date",
            "open=first, at=-1, sorted=date",
            "",
        ),
        ("?q=red&q=blue", "q=blue", "?q=red"),
        ("?picture=lost", "", ""),
    ] {
        page.go(&format!("/{address}"));
        let rest = Value::from(rest).to_string();
        browser.wait(&format!("location.search === {rest}"));
        if unknown.is_empty() {
            browser.wait("toast.textContent.includes('no longer here')");
        } else {
            let said = Value::from(format!("{left_out}{unknown}")).to_string();
            browser.wait(&format!("toast.textContent === {said}"));
        }
        browser.wait("count.textContent.includes('28 photos') || location.search.length > 1");
    }
    // What has a meaning is kept, without a word.
    page.go("/?q=red&min=0.01&sort=date&like=2&unlike=3");
    browser.wait("document.querySelectorAll('#parts .part').length === 2");
    assert_eq!(browser.text("toast.textContent"), "");
    let chip = "document.querySelector('#chips .chip.on').textContent";
    assert_eq!(browser.text(chip), "Confidence ≥ 0.01");
    page.stop();
}

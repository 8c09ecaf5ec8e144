//! The web page in a real browser, on a real server.

use base64::Engine as _;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::browser::{Browser, key};
use super::http::Server;
use super::{TestEnv, corpus};

/// A server and a browser that shows its page.
pub(crate) struct Page {
    pub(crate) browser: Browser,
    pub(crate) server: Server,
    pub(crate) env: TestEnv,
}

impl Page {
    /// `None` where there is no browser.
    pub(crate) fn start(env: TestEnv, width: u32, height: u32) -> Option<Self> {
        let browser = Browser::start(width, height)?;
        Some(Self::of(browser, env, &[]))
    }

    /// A window of 1000 × 800 pixels, and a server with these arguments.
    pub(crate) fn serve(env: TestEnv, arguments: &[&str]) -> Option<Self> {
        let browser = Browser::start(1000, 800)?;
        Some(Self::of(browser, env, arguments))
    }

    pub(crate) fn of(browser: Browser, env: TestEnv, arguments: &[&str]) -> Self {
        let server = Server::start(&env, arguments);
        Self {
            browser,
            server,
            env,
        }
    }

    /// Goes to an address of the server.
    pub(crate) fn go(&self, path: &str) {
        self.browser
            .open(&format!("http://{}{path}", self.server.address));
    }

    /// Goes to a part of the page, and waits for its first photo.
    pub(crate) fn open(&self, address: &str) {
        self.go(address);
        self.browser.wait(IS_FOUND);
    }

    /// Types a query and waits for its hits.
    pub(crate) fn search(&self, text: &str) {
        self.browser.keys("/");
        self.browser.keys(&format!("{text}{}", key::ENTER));
        let asked = Value::from(text).to_string();
        self.browser.wait(&format!(
            "new URLSearchParams(location.search).get('q') === {asked}"
        ));
        self.browser.wait(IS_FOUND);
    }

    /// Drops a picture on the page, and waits for photos like it.
    pub(crate) fn drop_picture(&self, path: &str) {
        let act = "for (const type of ['dragover', 'drop']) {
            document.body.dispatchEvent(new DragEvent(type,
                { dataTransfer, bubbles: true, cancelable: true }));
        }";
        self.give(path, act);
    }

    /// Pastes a picture into the page, and waits for photos like it.
    pub(crate) fn paste_picture(&self, path: &str) {
        let act = "document.body.dispatchEvent(new ClipboardEvent('paste',
            { clipboardData: dataTransfer, bubbles: true, cancelable: true }));";
        self.give(path, act);
    }

    fn give(&self, path: &str, act: &str) {
        let picture = fs_err::read(self.env.path(path)).unwrap();
        let picture = base64::prelude::BASE64_STANDARD.encode(picture);
        let script = format!(
            "const bytes = Uint8Array.from(atob(arguments[0]), one => one.charCodeAt(0));
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File([bytes], 'x.png', {{ type: 'image/png' }}));
            {act}"
        );
        self.browser.run(&script, &picture.into());
        self.browser.wait("location.search.includes('picture=')");
        self.browser.wait(IS_FOUND);
    }

    /// Asserts that axe-core finds nothing serious on the page as it is.
    #[track_caller]
    pub(crate) fn assert_accessible(&self, what: &str) {
        let findings = self.browser.findings();
        let is_serious = |one: &&String| one.starts_with("serious") || one.starts_with("critical");
        let serious: Vec<&String> = findings.iter().filter(is_serious).collect();
        assert!(serious.is_empty(), "{what}: {serious:#?}");
    }

    /// Ends both, after the page has reported no error.
    pub(crate) fn finish(self) {
        self.browser.assert_no_error();
        self.stop();
    }

    pub(crate) fn stop(self) {
        let Self { mut server, .. } = self;
        server.signal(Signal::SIGINT);
        assert_eq!(server.wait(), Some(0));
    }
}

/// Whether the answer to what was asked last is on the page.
pub(crate) const IS_FOUND: &str = "!document.body.classList.contains('busy') \
                                   && document.querySelectorAll('.tile img').length > 0";

/// The name of the first photo.
pub(crate) const FIRST: &str = "document.querySelector('.tile[aria-posinset=\"1\"] img').alt";

/// The place of the photo that has the focus.
pub(crate) const FOCUSED: &str = "document.activeElement.getAttribute('aria-posinset')";

/// An index of one picture of each colour, and of `n` others, some of them with captions.
pub(crate) fn with_photos(n: usize) -> TestEnv {
    let env = TestEnv::new();
    corpus::one_of_each(&env.path("photos"));
    corpus::numbered_with_captions(&env.path("photos"), n, &[]);
    env.succeed(["index", "photos", "--captions", "photos/captions.jsonl"]);
    env
}

/// The selector of the photo at a place.
pub(crate) fn tile(place: usize) -> String {
    format!(".tile[aria-posinset=\"{place}\"]")
}

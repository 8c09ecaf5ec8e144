//! A real Chromium without a window, driven through chromedriver (the W3C protocol: HTTP and JSON).
//!
//! The few calls that tests need are written out here; the crates for it bring a hundred others.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::{Value, json};

use super::{PROGRAM, as_root};

/// Set to `required` where the tests must not be skipped.
const SWITCH: &str = "SIGHTLINE_BROWSER_TESTS";

/// Keys by their codes in the protocol.
pub(crate) mod key {
    pub(crate) const SHIFT: &str = "\u{e008}";
    pub(crate) const CONTROL: &str = "\u{e009}";
    pub(crate) const TAB: &str = "\u{e004}";
    pub(crate) const ENTER: &str = "\u{e007}";
    pub(crate) const ESCAPE: &str = "\u{e00c}";
    pub(crate) const PAGE_UP: &str = "\u{e00e}";
    pub(crate) const PAGE_DOWN: &str = "\u{e00f}";
    pub(crate) const END: &str = "\u{e010}";
    pub(crate) const HOME: &str = "\u{e011}";
    pub(crate) const LEFT: &str = "\u{e012}";
    pub(crate) const UP: &str = "\u{e013}";
    pub(crate) const RIGHT: &str = "\u{e014}";
    pub(crate) const DOWN: &str = "\u{e015}";
}

/// Runs a program until standard input ends, as it does when the process that holds the other end
/// is killed, and ends the whole process group then.
const WHILE_HELD: &str = r#""$@" & read -r _; kill -KILL 0"#;

/// chromedriver and the processes that it starts, all in one group, which ends with this.
struct Driver {
    shell: Child,
    /// For profiles, which a browser that is killed leaves.
    _folder: tempfile::TempDir,
}

impl Driver {
    fn start(program: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        shell.args(["-c", WHILE_HELD, "sh"]).arg(program);
        shell.arg("--port=0").env("TMPDIR", folder.path());
        shell.stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own does not get Ctrl-C, but the end of standard input.
        let shell = shell.stderr(Stdio::null()).process_group(0).spawn();
        Self {
            shell: shell.unwrap(),
            _folder: folder,
        }
    }

    fn port(&mut self) -> u16 {
        let lines = BufReader::new(self.shell.stdout.take().unwrap()).lines();
        lines
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split_once("started successfully on port ")?.1;
                port.trim_end_matches('.').parse().ok()
            })
            .expect("chromedriver names its port")
    }

    fn group(&self) -> Pid {
        Pid::from_raw(self.shell.id().try_into().unwrap())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.shell.wait();
    }
}

/// A browser with one window, closed when it is dropped.
pub(crate) struct Browser {
    driver: Driver,
    port: u16,
    session: String,
}

/// A program in one of the usual places.
fn program(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/usr/local/bin", "/snap/bin"];
    let paths = folders.iter().map(|folder| Path::new(folder).join(name));
    paths.into_iter().find(|path| path.is_file())
}

impl Browser {
    /// Starts a browser whose window has this size in pixels; `None`, with a line that says how to
    /// get it, where there is none.
    pub(crate) fn start(width: u32, height: u32) -> Option<Self> {
        Self::start_in("en", width, height)
    }

    /// The same for a reader of this language, as in `Accept-Language`.
    pub(crate) fn start_in(language: &str, width: u32, height: u32) -> Option<Self> {
        let found = program("chromedriver").zip(program("chromium"));
        let Some((driver, chromium)) = found else {
            let missing =
                "tests of the page are skipped: `apt-get install chromium chromium-driver`";
            let is_required = std::env::var(SWITCH).is_ok_and(|value| value == "required");
            assert!(!is_required, "{missing}");
            eprintln!("{missing}");
            return None;
        };
        let mut driver = Driver::start(&driver);
        let mut browser = Self {
            port: driver.port(),
            driver,
            session: String::new(),
        };
        browser.begin(&chromium, language, width, height);
        Some(browser)
    }

    fn begin(&mut self, chromium: &Path, language: &str, width: u32, height: u32) {
        let size = format!("--window-size={width},{height}");
        let mut arguments = vec!["--headless=new", "--disable-gpu", &size];
        if as_root() {
            arguments.push("--no-sandbox");
        }
        let preferences = json!({ "intl.accept_languages": language });
        let options = json!({ "binary": chromium, "args": arguments, "prefs": preferences });
        let wanted = json!({
            "timeouts": { "script": 100_000 },
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let body = json!({ "capabilities": { "alwaysMatch": wanted } });
        let answer = self.request("POST", "/session", &body);
        answer["sessionId"]
            .as_str()
            .unwrap()
            .clone_into(&mut self.session);
        // The window of the option includes a frame; the page has to be this large.
        let body = json!({ "width": width, "height": height });
        self.command("POST", "/window/rect", &body);
    }

    /// Sends a command to the driver, which has to succeed.
    #[track_caller]
    fn request(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "GET" {
            String::new()
        } else {
            body.to_string()
        };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.port,
            body.len()
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            let line = line.trim().to_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut answer = vec![0; length];
        reader.read_exact(&mut answer).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{path}: {value}");
        value
    }

    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.request(method, &format!("/session/{}{path}", self.session), body)
    }

    /// Goes to an address.
    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// What the body of a function returns; `arguments[0]` is the argument.
    #[track_caller]
    pub(crate) fn run(&self, body: &str, argument: &Value) -> Value {
        let body = json!({ "script": body, "args": [argument] });
        self.command("POST", "/execute/sync", &body)
    }

    /// What the function `arguments[1]` is called with; `arguments[0]` is the argument.
    #[track_caller]
    pub(crate) fn run_async(&self, body: &str, argument: &Value) -> Value {
        let body = json!({ "script": body, "args": [argument] });
        self.command("POST", "/execute/async", &body)
    }

    /// What an expression is.
    #[track_caller]
    pub(crate) fn value(&self, expression: &str) -> Value {
        self.run(&format!("return {expression}"), &Value::Null)
    }

    /// The text that an expression is.
    #[track_caller]
    pub(crate) fn text(&self, expression: &str) -> String {
        let value = self.value(expression);
        value
            .as_str()
            .unwrap_or_else(|| panic!("{expression} is {value}"))
            .to_owned()
    }

    /// Waits until an expression is true, at most 20 seconds.
    #[track_caller]
    pub(crate) fn wait(&self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != true {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "still not so: {expression}\n{} {}",
                self.text("location.href"),
                self.text("document.body.innerText"),
            );
            sleep(Duration::from_millis(30));
        }
    }

    /// The handle of the first element that a selector finds.
    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let body = json!({ "using": "css selector", "value": selector });
        let found = self.command("POST", "/element", &body);
        let handle = found.as_object().unwrap().values().next().unwrap();
        handle.as_str().unwrap().to_owned()
    }

    /// Clicks on the middle of an element.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command("POST", &format!("/element/{element}/click"), &json!({}));
    }

    /// Clicks on the middle of an element, with a key held down.
    #[track_caller]
    pub(crate) fn click_with(&self, held: &str, selector: &str) {
        self.hold(held, || self.click_by_mouse(selector));
    }

    fn click_by_mouse(&self, selector: &str) {
        let element = self.element(selector);
        let origin = json!({ "element-6066-11e4-a52e-4f735466cecf": element });
        let moved = json!({ "type": "pointerMove", "x": 0, "y": 0, "origin": origin });
        let down = json!({ "type": "pointerDown", "button": 0 });
        let up = json!({ "type": "pointerUp", "button": 0 });
        let mouse = json!({ "type": "pointer", "id": "mouse", "actions": [moved, down, up] });
        self.command("POST", "/actions", &json!({ "actions": [mouse] }));
    }

    fn hold(&self, key: &str, act: impl FnOnce()) {
        self.key_actions(&json!([{ "type": "keyDown", "value": key }]));
        act();
        self.key_actions(&json!([{ "type": "keyUp", "value": key }]));
    }

    fn key_actions(&self, actions: &Value) {
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.command("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Types on the keyboard, whatever has the focus.
    pub(crate) fn keys(&self, keys: &str) {
        let press = |key: char| {
            let key = key.to_string();
            [
                json!({ "type": "keyDown", "value": key }),
                json!({ "type": "keyUp", "value": key }),
            ]
        };
        let actions: Vec<Value> = keys.chars().flat_map(press).collect();
        self.key_actions(&Value::from(actions));
    }

    /// Types on the keyboard, with a key held down.
    pub(crate) fn keys_with(&self, held: &str, keys: &str) {
        self.hold(held, || self.keys(keys));
    }

    /// Chooses a file in a field for files.
    pub(crate) fn choose(&self, selector: &str, path: &Path) {
        let element = self.element(selector);
        let body = json!({ "text": path.to_str().unwrap() });
        self.command("POST", &format!("/element/{element}/value"), &body);
    }

    /// Asks for the dark or the light theme, as the settings of a system do.
    pub(crate) fn prefer(&self, scheme: &str) {
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        let body = json!({
            "cmd": "Emulation.setEmulatedMedia",
            "params": { "features": [feature] },
        });
        self.command("POST", "/goog/cdp/execute", &body);
    }

    /// Goes back, as with the button of the browser.
    pub(crate) fn back(&self) {
        self.command("POST", "/back", &json!({}));
    }

    /// Asserts that the page has reported no error so far.
    #[track_caller]
    pub(crate) fn assert_no_error(&self) {
        let entries = self.command("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().unwrap().iter();
        let errors: Vec<&Value> = entries.filter(|entry| entry["level"] == "SEVERE").collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    /// What axe-core has to say against the page as it is: rule, impact and the elements.
    #[track_caller]
    pub(crate) fn findings(&self) -> Vec<String> {
        let folder = Path::new(PROGRAM).parent().unwrap().parent().unwrap();
        let path = folder.join("tools/axe-playwright-python/axe.min.js");
        let axe = fs_err::read_to_string(&path)
            .unwrap_or_else(|error| panic!("{error}: run `make setup`"));
        self.run(&format!("{axe}; window.axe = axe;"), &Value::Null);
        let ask = "const done = arguments[1];
            axe.run(document, { resultTypes: ['violations'] }).then(
                result => done(result.violations.map(one => [one.impact, one.id,
                    ...one.nodes.map(node => node.html.slice(0, 160))].join('\\n  '))),
                error => done([String(error)]));";
        let found = self.run_async(ask, &Value::Null);
        let found = found.as_array().unwrap().iter();
        found.map(|one| one.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() && !std::thread::panicking() {
            self.command("DELETE", "", &json!({}));
        }
    }
}

#[cfg(target_os = "linux")]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::support::wait_until;

    /// How many processes of a group run, without those that ended and were not waited for.
    fn n_running(group: Pid) -> usize {
        let entries = fs_err::read_dir("/proc").unwrap();
        let stats = entries.filter_map(|entry| {
            let path = entry.ok()?.path().join("stat");
            fs_err::read_to_string(path).ok()
        });
        let is_running = |stat: &String| {
            // After the name, which may contain anything: state, parent, group.
            let fields = stat.rsplit_once(") ").map(|(_, fields)| fields.split(' '));
            fields.is_some_and(|mut fields| {
                fields.next() != Some("Z")
                    && fields.nth(1) == Some(group.as_raw().to_string().as_str())
            })
        };
        stats.filter(is_running).count()
    }

    #[test]
    fn no_process_of_a_browser_outlives_its_test() {
        let Some(browser) = Browser::start(100, 100) else {
            return;
        };
        let group = browser.driver.group();
        // The shell, chromedriver, the browser and its own processes.
        assert!(n_running(group) > 3);
        let failed = catch_unwind(AssertUnwindSafe(|| {
            let browser = browser;
            browser.run("no_such_name()", &Value::Null);
        }));
        assert!(failed.is_err());
        wait_until("a failed test's browser ends", || n_running(group) == 0);
    }

    #[test]
    fn a_browser_ends_with_a_process_that_is_killed() {
        let Some(mut browser) = Browser::start(100, 100) else {
            return;
        };
        let group = browser.driver.group();
        assert!(n_running(group) > 3);
        // What the system does when a process ends, however it ends.
        drop(browser.driver.shell.stdin.take());
        wait_until("its browser ends", || n_running(group) == 0);
        // There is no driver to say goodbye to.
        browser.session.clear();
    }
}

//! Gathers the texts that several threads want encoded while the encoder is busy, and has them
//! encoded in one run.
//!
//! Whoever finds the encoder idle encodes at once, so that nobody waits for company. Those that
//! come meanwhile wait for the end of that run; the first of them then encodes the texts of all.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::EngineError;

/// The embedding of a text, once there is one.
type Slot = Arc<Mutex<Option<Result<Vec<f32>, EngineError>>>>;

/// Texts that wait for one encoder.
#[derive(Default)]
pub(super) struct Gathering {
    waiting: Mutex<Vec<(String, Slot)>>,
    turn: Mutex<()>,
}

impl Gathering {
    /// The embedding of a text. `run` encodes texts, in order; each thread gives the same.
    ///
    /// # Errors
    /// That of `run` for this text: where a run of several fails, each is encoded alone.
    pub(super) fn encode(
        &self,
        text: &str,
        run: impl Fn(&[&str]) -> Result<Vec<Vec<f32>>, EngineError>,
    ) -> Result<Vec<f32>, EngineError> {
        let own = Slot::default();
        lock(&self.waiting).push((text.to_owned(), Arc::clone(&own)));
        let _turn = lock(&self.turn);
        if let Some(done) = lock(&own).take() {
            return done;
        }
        let gathered = mem::take(&mut *lock(&self.waiting));
        let texts: Vec<&str> = gathered.iter().map(|(text, _)| &**text).collect();
        let alone = |text: &str| Ok(run(&[text])?.into_iter().next().unwrap_or_default());
        if let [_, _, ..] = texts[..]
            && let Ok(embeddings) = run(&texts)
        {
            for ((_, slot), embedding) in gathered.iter().zip(embeddings) {
                *lock(slot) = Some(Ok(embedding));
            }
        } else {
            for (text, slot) in &gathered {
                *lock(slot) = Some(alone(text));
            }
        }
        // Its text was taken by a thread that panicked.
        let done = lock(&own).take();
        done.unwrap_or_else(|| alone(text))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    fn embedding(text: &str) -> Vec<f32> {
        text.bytes().map(f32::from).collect()
    }

    type Encoded = Result<Vec<f32>, EngineError>;

    /// Has `texts` encoded by a thread each, while the run of another text is in progress. Returns
    /// what each got, `None` where its thread panicked, and the texts of each run in the order of
    /// the alphabet.
    fn gathered(
        texts: &[&'static str],
        run: impl Fn(&[&str]) -> Result<Vec<Vec<f32>>, EngineError> + Sync,
    ) -> (Vec<Option<Encoded>>, Vec<Vec<String>>) {
        let (gathering, runs) = (Gathering::default(), Mutex::new(Vec::new()));
        let (began, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
        let run = |texts: &[&str]| {
            if texts == ["first"] {
                began.store(true, Ordering::SeqCst);
                while !is_over.load(Ordering::SeqCst) {
                    thread::yield_now();
                }
            }
            let mut names: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
            names.sort();
            lock(&runs).push(names);
            run(texts)
        };
        let encode = |text: &str| gathering.encode(text, run);
        let found = thread::scope(|scope| {
            let first = scope.spawn(|| encode("first"));
            while !began.load(Ordering::SeqCst) {
                thread::yield_now();
            }
            let others = texts.iter().map(|&text| scope.spawn(move || encode(text)));
            let others: Vec<_> = others.collect();
            while lock(&gathering.waiting).len() < texts.len() {
                thread::yield_now();
            }
            is_over.store(true, Ordering::SeqCst);
            assert_eq!(first.join().unwrap().unwrap(), embedding("first"));
            others.into_iter().map(|one| one.join().ok()).collect()
        });
        (found, runs.into_inner().unwrap())
    }

    #[expect(clippy::unnecessary_wraps, reason = "as an encoder answers")]
    fn embeddings(texts: &[&str]) -> Result<Vec<Vec<f32>>, EngineError> {
        Ok(texts.iter().map(|text| embedding(text)).collect())
    }

    #[test]
    fn texts_that_wait_for_a_run_share_the_next_one() {
        let texts = ["a", "b", "c", "d"];
        let (found, runs) = gathered(&texts, embeddings);
        for (text, found) in texts.iter().zip(found) {
            assert_eq!(found.unwrap().unwrap(), embedding(text));
        }
        assert_eq!(runs, [vec!["first"], vec!["a", "b", "c", "d"]]);
    }

    #[test]
    fn a_text_that_cannot_be_encoded_spoils_no_other_one() {
        let (found, runs) = gathered(&["a", "wrong", "c"], |texts| {
            if texts.contains(&"wrong") {
                return Err(EngineError::EmptyQuery);
            }
            embeddings(texts)
        });
        let [a, wrong, c] = found.try_into().unwrap();
        assert_eq!(a.unwrap().unwrap(), embedding("a"));
        assert_eq!(c.unwrap().unwrap(), embedding("c"));
        assert!(matches!(wrong, Some(Err(EngineError::EmptyQuery))));
        assert_eq!(runs.len(), 5, "{runs:?}");
    }

    #[test]
    fn a_run_that_panics_takes_no_other_thread_with_it() {
        let texts = ["a", "b", "c"];
        let (found, _) = gathered(&texts, |texts| {
            assert!(texts.len() < 3, "a panic on purpose");
            embeddings(texts)
        });
        let n_panics = found.iter().filter(|found| found.is_none()).count();
        assert_eq!(n_panics, 1, "the one that encoded for all");
        for (text, found) in texts.iter().zip(found) {
            if let Some(found) = found {
                assert_eq!(found.unwrap(), embedding(text));
            }
        }
    }
}

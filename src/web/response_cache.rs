//! Answers that are the same for everybody, kept for a second: rendered, tagged and compressed once, then only copied. Values change by
//! minutes. A second is nothing to a visitor, and much to a server under load.

use crate::http::answer::Answer;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// The time for which an answer is served before it is made again.
const KEPT: Duration = Duration::from_secs(1);

/// The time for which it is still served while somebody makes the next one.
const MEANWHILE: Duration = Duration::from_secs(5);

/// Keeps the last answer of each address. Addresses are those of precached values and of pages of them: some hundreds.
#[derive(Default)]
pub(super) struct ResponseCache {
    cells: RwLock<HashMap<String, Arc<Cell>>>,
}

#[derive(Default)]
struct Cell {
    kept: RwLock<Option<(Instant, Arc<Answer>)>>,
    /// Held by the one who makes the next answer.
    making: tokio::sync::Mutex<()>,
}

impl Cell {
    fn younger_than(&self, age: Duration) -> Option<Arc<Answer>> {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().filter(|(at, _)| at.elapsed() < age).map(|(_, answer)| Arc::clone(answer))
    }
}

impl ResponseCache {
    /// The answer of an address: the one kept, or the one that `make` comes to, which says besides whether it may be kept. `make` is
    /// dropped where another is at hand.
    pub(super) async fn get<E>(
        &self,
        address: &str,
        make: impl Future<Output = Result<(Answer, bool), E>>,
    ) -> Result<Arc<Answer>, E> {
        let cell = self.cell(address);
        if let Some(answer) = cell.younger_than(KEPT) {
            return Ok(answer);
        }
        let _making = match cell.making.try_lock() {
            Ok(making) => making,
            Err(_) => match cell.younger_than(MEANWHILE) {
                Some(answer) => return Ok(answer),
                None => cell.making.lock().await,
            },
        };
        if let Some(answer) = cell.younger_than(KEPT) {
            return Ok(answer);
        }
        let (answer, keep) = make.await?;
        let answer = Arc::new(answer);
        let next = keep.then(|| (Instant::now(), Arc::clone(&answer)));
        *cell.kept.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(answer)
    }

    fn cell(&self, address: &str) -> Arc<Cell> {
        if let Some(cell) = self.cells.read().unwrap_or_else(PoisonError::into_inner).get(address) {
            return Arc::clone(cell);
        }
        let mut cells = self.cells.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(cells.entry(address.to_owned()).or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_hundred_askers_make_one_answer() {
        let (recent, made) = (ResponseCache::default(), AtomicU32::new(0));
        let ask = || {
            recent.get("/", async {
                made.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok::<_, Infallible>((Answer::new("x".to_owned(), "text/plain", "no-cache"), true))
            })
        };
        futures_of((0..100).map(|_| ask()).collect()).await;
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn what_may_not_be_kept_is_made_each_time() {
        let (recent, made) = (ResponseCache::default(), AtomicU32::new(0));
        for _ in 0..3 {
            let answer = recent.get("/", async {
                made.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Infallible>((Answer::new("x".to_owned(), "text/plain", "no-store"), false))
            });
            let Ok(_) = answer.await;
        }
        assert_eq!(made.load(Ordering::Relaxed), 3);
    }

    async fn futures_of<F: Future>(all: Vec<F>) {
        let mut all: Vec<_> = all.into_iter().map(Box::pin).collect();
        std::future::poll_fn(|cx| {
            all.retain_mut(|f| f.as_mut().poll(cx).is_pending());
            if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
    }
}

//! Requests on their way to the engine: a queue for each link, taken in turns, so that a link that floods delays itself only.
//! What undoes a payment has a queue of its own beside it, which is taken first: it waits behind nobody's new payments.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::ids::LinkName;

/// As many of a link's requests wait before what may go ahead of them does: below that it is as quick to wait, and a payment
/// that is read just before its reversal is also taken just before it.
const AHEAD_FROM: usize = 64;
/// So many in a row are taken from the queues ahead while something waits in the others.
const AHEAD_IN_A_ROW: usize = 4;
/// Room in every queue, however many links there are.
const QUEUE_MIN: usize = 16;

/// How something may be taken relative to what its link has sent before.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Rank {
    /// Behind it.
    Behind,
    /// Behind it, and nothing that follows may be taken before: it changes who may say what.
    Fence,
    /// Before new requests that wait, if many do.
    Ahead,
}

struct Lane<T> {
    queue: mpsc::Sender<(T, Rank)>,
    ahead: mpsc::Sender<(T, Rank)>,
    fences: Arc<AtomicUsize>,
}

/// Where requests are put.
pub(super) struct Lanes<T> {
    links: BTreeMap<LinkName, Lane<T>>,
    arrived: Arc<Notify>,
}

struct Source<T> {
    queue: mpsc::Receiver<(T, Rank)>,
    ahead: mpsc::Receiver<(T, Rank)>,
    fences: Arc<AtomicUsize>,
}

/// Where they are taken from.
pub(super) struct Incoming<T> {
    links: Vec<Source<T>>,
    arrived: Arc<Notify>,
    /// Whose turn it is, in either kind of queue.
    next: usize,
    next_ahead: usize,
    ahead_in_a_row: usize,
}

/// The engine has ended: nothing is taken any more.
#[derive(Debug)]
pub(super) struct Ended;

/// Queues for these links; each has an even share of `queue_max`.
pub(super) fn lanes<T>(
    links: impl IntoIterator<Item = LinkName>,
    queue_max: usize,
) -> (Lanes<T>, Incoming<T>) {
    let links: Vec<LinkName> = links.into_iter().collect();
    let share = queue_max.checked_div(links.len()).unwrap_or_default().max(QUEUE_MIN);
    let arrived = Arc::new(Notify::new());
    let (mut lanes, mut sources) = (BTreeMap::new(), Vec::new());
    for link in links {
        let (queue, from_queue) = mpsc::channel(share);
        let (ahead, take_ahead) = mpsc::channel(share);
        let fences = Arc::new(AtomicUsize::new(0));
        sources.push(Source { queue: from_queue, ahead: take_ahead, fences: Arc::clone(&fences) });
        lanes.insert(link, Lane { queue, ahead, fences });
    }
    let incoming =
        Incoming { links: sources, arrived: Arc::clone(&arrived), next: 0, next_ahead: 0, ahead_in_a_row: 0 };
    (Lanes { links: lanes, arrived }, incoming)
}

impl<T> Lanes<T> {
    /// Puts something of a link in; waits while its queue is full.
    ///
    /// # Errors
    ///
    /// [`Ended`] if nobody takes anything any more.
    pub(super) async fn send(&self, link: &LinkName, item: T, rank: Rank) -> Result<(), Ended> {
        let lane = self.links.get(link).ok_or(Ended)?;
        let waiting = lane.queue.max_capacity().saturating_sub(lane.queue.capacity());
        let overtakes = rank == Rank::Ahead
            && waiting >= AHEAD_FROM.min(lane.queue.max_capacity())
            && lane.fences.load(Ordering::Acquire) == 0;
        let queue = if overtakes { &lane.ahead } else { &lane.queue };
        let room = queue.reserve().await.map_err(|_| Ended)?;
        if rank == Rank::Fence {
            lane.fences.fetch_add(1, Ordering::AcqRel);
        }
        room.send((item, rank));
        self.arrived.notify_one();
        Ok(())
    }
}

impl<T> Incoming<T> {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.links.iter().all(|link| link.queue.is_empty() && link.ahead.is_empty())
    }

    /// Waits until something waits.
    pub(super) async fn arrived(&self) {
        while self.is_empty() {
            self.arrived.notified().await;
        }
    }

    /// Takes the next, if there is one.
    pub(super) fn take(&mut self) -> Option<T> {
        let turn_of_the_others = self.ahead_in_a_row >= AHEAD_IN_A_ROW;
        let first = if turn_of_the_others { self.take_behind() } else { self.take_ahead() };
        first.or_else(|| if turn_of_the_others { self.take_ahead() } else { self.take_behind() })
    }

    fn take_ahead(&mut self) -> Option<T> {
        let item = round(&mut self.links, &mut self.next_ahead, |link| link.ahead.try_recv().ok())?.0;
        self.ahead_in_a_row = self.ahead_in_a_row.saturating_add(1);
        Some(item)
    }

    fn take_behind(&mut self) -> Option<T> {
        self.ahead_in_a_row = 0;
        let take = |link: &mut Source<T>| {
            let (item, rank) = link.queue.try_recv().ok()?;
            if rank == Rank::Fence {
                link.fences.fetch_sub(1, Ordering::AcqRel);
            }
            Some((item, rank))
        };
        Some(round(&mut self.links, &mut self.next, take)?.0)
    }
}

/// The first of the links, from `next` on, that has something; the one behind it is next.
fn round<T, L>(
    links: &mut [L],
    next: &mut usize,
    mut take: impl FnMut(&mut L) -> Option<(T, Rank)>,
) -> Option<(T, Rank)> {
    for _ in 0..links.len() {
        let at = next.checked_rem(links.len()).unwrap_or_default();
        *next = at.saturating_add(1);
        if let Some(found) = links.get_mut(at).and_then(&mut take) {
            return Some(found);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(name: &str) -> LinkName {
        name.parse().unwrap()
    }

    async fn put(lanes: &Lanes<String>, who: &str, items: impl IntoIterator<Item = u32>, rank: Rank) {
        for item in items {
            lanes.send(&link(who), format!("{who}{item}"), rank).await.unwrap();
        }
    }

    fn all(incoming: &mut Incoming<String>) -> Vec<String> {
        std::iter::from_fn(|| incoming.take()).collect()
    }

    fn two() -> (Lanes<String>, Incoming<String>) {
        lanes([link("a"), link("b")], 2000)
    }

    #[tokio::test]
    async fn links_are_taken_in_turns_and_each_in_its_own_order() {
        let (lanes, mut incoming) = two();
        put(&lanes, "a", 0..100, Rank::Behind).await;
        put(&lanes, "b", 0..2, Rank::Behind).await;
        let taken = all(&mut incoming);
        assert_eq!(taken[..5], ["a0", "b0", "a1", "b1", "a2"]);
        assert!(taken[3..].windows(2).skip(1).all(|pair| pair[0] != pair[1]));
        assert_eq!(taken.len(), 102);
        assert!(incoming.is_empty());
    }

    #[tokio::test]
    async fn what_may_go_ahead_does_where_many_wait_and_keeps_its_place_where_few_do() {
        let (lanes, mut incoming) = two();
        put(&lanes, "a", 0..3, Rank::Behind).await;
        put(&lanes, "a", [900], Rank::Ahead).await;
        assert_eq!(all(&mut incoming), ["a0", "a1", "a2", "a900"]);
        put(&lanes, "a", 0..500, Rank::Behind).await;
        put(&lanes, "b", 0..500, Rank::Behind).await;
        put(&lanes, "b", [900], Rank::Ahead).await;
        assert_eq!(incoming.take().unwrap(), "b900");
    }

    #[tokio::test]
    async fn nothing_goes_ahead_of_a_sign_on() {
        let (lanes, mut incoming) = two();
        put(&lanes, "a", [0], Rank::Fence).await;
        put(&lanes, "a", 1..200, Rank::Behind).await;
        put(&lanes, "a", [900], Rank::Ahead).await;
        assert_eq!(incoming.take().unwrap(), "a0");
        put(&lanes, "a", [901], Rank::Ahead).await;
        assert_eq!(incoming.take().unwrap(), "a901");
        assert_eq!(all(&mut incoming).last().unwrap(), "a900");
    }

    #[tokio::test]
    async fn a_flood_of_what_goes_ahead_does_not_stop_the_others() {
        let (lanes, mut incoming) = two();
        put(&lanes, "a", 0..100, Rank::Behind).await;
        put(&lanes, "a", 900..950, Rank::Ahead).await;
        put(&lanes, "b", [0], Rank::Behind).await;
        let taken = all(&mut incoming);
        assert!(taken[..6].contains(&"a0".to_owned()) && taken[..11].contains(&"b0".to_owned()), "{taken:?}");
    }

    #[tokio::test]
    async fn a_full_queue_holds_up_its_own_link_only() {
        let (lanes, mut incoming) = lanes::<String>([link("a"), link("b")], 1);
        put(&lanes, "a", 0..16, Rank::Behind).await;
        let a = link("a");
        let held = lanes.send(&a, "a16".to_owned(), Rank::Behind);
        tokio::pin!(held);
        assert!(futures_poll(held.as_mut()).await.is_none(), "there is no room");
        put(&lanes, "b", [0], Rank::Behind).await;
        assert_eq!(incoming.take().unwrap(), "a0");
        held.await.unwrap();
        assert_eq!(all(&mut incoming).len(), 17);
    }

    /// Polls once.
    async fn futures_poll<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}

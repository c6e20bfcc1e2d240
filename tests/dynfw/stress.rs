//! Publishers and viewers that misbehave.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use futures::StreamExt as _;
use sview_testing::{Backend, Deployment, Feed, Patience, Server};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::viewer::{Viewer, fed, hearing, known, memory, state};

/// How much memory may grow, in MB.
const GROWTH: u64 = 50;

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_and_a_large_message_are_survived() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = Server::start(&mut hearing(&deployment, &feed, "dynfw-backend"));
    fed(&server, &mut feed, 10_000).await;
    let mut viewer = Viewer::open(&server).await;
    viewer.until("dynfw list").await;
    let before = memory(&server);
    let heard = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&heard);
    let watching = tokio::spawn(async move {
        while let Some(Ok(_)) = viewer.0.next().await {
            count.fetch_add(1, Relaxed);
        }
    });
    // Lists once a second: a slow machine takes longer to read one than the publisher to send it.
    feed.tell("every 1");
    let (mut feed, took) = tokio::task::spawn_blocking(move || {
        let took = feed.tell("flood 50000 250000");
        (feed, took)
    })
    .await
    .unwrap();
    // A list that was sent after the flood is read after the flood: then nothing waits in the publisher's queue any more, and what
    // follows is not lost there. Every second message was a delta, and the list began with serial 1.
    known(&server, "the whole flood is read", |state| state["catching_up"] == false && state["serial"] == 125_001)
        .await;
    feed.tell("big 10000000");
    feed.tell("delta 1 positive 192.0.2.1");
    known(&server, "the list is right after the flood", |state| {
        state["catching_up"] == false && state["serial"] == 1 && state["dropped"]["oversized"] == 1
    })
    .await;
    let (after, state) = (memory(&server), state(&server));
    println!("{before} MB before, {after} MB after 250,000 messages in {took} s; {state}");
    assert!(after <= before + GROWTH, "{before} MB before, {after} MB after; {state}");
    assert_eq!(state["viewers"]["connected"], 1, "the viewer was not flooded: {state}");
    assert!(state["viewers"]["held_back"].as_u64().unwrap() > 0, "{state}");
    let patience = Patience::default();
    while heard.load(Relaxed) <= 100 {
        patience
            .look_again(|| format!("it was told {} messages, less than people can follow", heard.load(Relaxed)))
            .await;
    }
    watching.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_viewer_who_does_not_read_is_dropped_and_slows_nobody() {
    let deployment = Deployment::new(Backend::Embedded).await;
    let mut feed = Feed::start();
    let server = Server::start(&mut hearing(&deployment, &feed, "dynfw-backend"));
    // Lists of a megabyte, so that the system's own buffers are full soon.
    fed(&server, &mut feed, 70_000).await;
    let (mut slow, mut quick) = (Viewer::open(&server).await, Viewer::open(&server).await);
    quick.until("dynfw list").await;
    let before = memory(&server);
    let patience = Patience::of(Duration::from_secs(120));
    let mut serial = 1;
    while state(&server)["viewers"]["connected"] == 2 {
        assert!(!patience.is_over(), "never dropped: {}", state(&server));
        for _ in 0..50 {
            serial += 1;
            feed.tell(&format!("delta {serial} positive 192.0.2.{}", serial % 250));
        }
        quick.serial(serial).await;
    }
    assert!(memory(&server) <= before + GROWTH, "{before} MB before, {} MB after", memory(&server));
    serial += 1;
    feed.tell(&format!("delta {serial} negative 192.0.2.1"));
    quick.serial(serial).await;
    // Messages under way still come, and then the viewer is asked to reload.
    if let Some(frame) = slow.closed().await {
        assert_eq!(frame.code, CloseCode::Again);
        assert!(frame.reason.contains("reload"), "{}", frame.reason);
    }
    known(&server, "its place is given back", |state| state["viewers"]["connected"] == 1).await;
}

//! `/ws`: the messages to viewers, over a WebSocket. Any site may listen: the data is public.
//!
//! Frames are shared slices of one message, cut small, so that a viewer's buffer stays small however large the list is.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode, header};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::server::create_response;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{CloseCode, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{CloseFrame, Frame};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use super::hub::{Full, Subscription};
use super::{Desk, Live};
use crate::http::client::Client;
use crate::http::problem::{Error, refuse};

/// The most bytes of a frame.
const FRAME: usize = 8 * 1024;

/// The most bytes that a viewer may send: nothing is expected but answers to pings.
const SENT: usize = 512;

/// How often a viewer is asked whether it is there.
const PING: Duration = Duration::from_secs(30);

/// How long a viewer may say nothing at all.
const SILENCE: Duration = Duration::from_secs(75);

/// How long one message may take to be sent.
const SENDING: Duration = Duration::from_secs(20);

type Socket = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// The live feed
///
/// A WebSocket, open to pages of any site. Each text message is JSON, a LiveMessage of this description's schemas. The first says whether
/// the publisher is connected, and the second is the whole list. Then every change and event follows when it is heard. Send nothing but
/// answers to pings, which clients give by themselves. A client that reads too slowly is closed with 1013, and gets the whole list when it
/// comes again.
#[utoipa::path(
    get,
    path = "/ws",
    tag = "Live feed",
    operation_id = "live_feed",
    responses(
        (status = 101, description = "The WebSocket is open."),
        (status = 404, description = "No publisher is followed here.", body = Error),
        (status = 426, description = "That was no WebSocket of version 13.", body = Error),
        (status = 429, description = "You have too many open.", body = Error),
        (status = 503, description = "There are too many viewers: try again later.", body = Error),
    )
)]
pub(crate) async fn open(State(desk): State<Desk>, mut request: Request) -> Response<Body> {
    let Some(live) = desk.live else {
        return refuse(StatusCode::NOT_FOUND, "There is no live feed here: the operator has named no publisher");
    };
    let client = Client::sending(request.extensions(), request.headers(), &desk.proxies);
    let upgrade = hyper::upgrade::on(&mut request);
    let (parts, _) = request.into_parts();
    let accepted = match create_response(&http_request(parts)) {
        Ok(response) => response,
        Err(_) => {
            let mut answer = refuse(StatusCode::UPGRADE_REQUIRED, "This address speaks WebSocket (version 13)");
            answer.headers_mut().insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
            return answer;
        }
    };
    let seat = match live.feed().sit(client) {
        Ok(seat) => seat,
        Err(Full::Client) => {
            return refuse(StatusCode::TOO_MANY_REQUESTS, "Too many viewers from your address: close some of them");
        }
        Err(Full::All) => return refuse(StatusCode::SERVICE_UNAVAILABLE, "Too many viewers: try again later"),
    };
    let place = Place { seat, live };
    tokio::spawn(async move {
        let mut place = place;
        // A client that asks for a WebSocket and then vanishes must not hold the place.
        let Ok(Ok(upgraded)) = timeout(SENDING, upgrade).await else { return };
        let config = WebSocketConfig::default()
            .read_buffer_size(1024)
            .write_buffer_size(0)
            .max_write_buffer_size(4 * FRAME)
            .max_message_size(Some(SENT))
            .max_frame_size(Some(SENT));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
        place.watch(socket).await;
    });
    accepted.map(|()| Body::empty())
}

fn http_request(parts: axum::http::request::Parts) -> axum::http::Request<()> {
    axum::http::Request::from_parts(parts, ())
}

/// A subscription that is freed when dropped.
struct Place {
    seat: Subscription,
    live: Live,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.feed().hub.leave(&self.seat);
    }
}

impl Place {
    /// Sends a viewer everything until it goes, falls behind, or this process ends.
    async fn watch(&mut self, mut socket: Socket) {
        for message in std::mem::take(&mut self.seat.first) {
            if !send(&mut socket, message).await {
                return;
            }
        }
        let mut pings = tokio::time::interval_at(Instant::now() + PING, PING);
        let mut heard = Instant::now();
        let stop = self.live.stop.clone();
        let bye = loop {
            tokio::select! {
                message = self.seat.queue.recv() => match message {
                    Some(message) => if !send(&mut socket, message).await { return },
                    None => break (CloseCode::Again, "You were too slow to receive everything: reload"),
                },
                said = socket.next() => match said {
                    Some(Ok(Message::Close(_))) | None => return,
                    Some(Ok(_)) => heard = Instant::now(),
                    Some(Err(tungstenite::Error::Capacity(_))) => break (CloseCode::Size, "Nothing is expected from you"),
                    Some(Err(_)) => return,
                },
                _ = pings.tick() => {
                    if heard.elapsed() > SILENCE {
                        break (CloseCode::Away, "You did not answer");
                    }
                    if !matches!(timeout(SENDING, socket.send(Message::Ping(Bytes::new()))).await, Ok(Ok(()))) {
                        return;
                    }
                }
                () = stop.cancelled() => break (CloseCode::Restart, "The server is stopping: reload in a moment"),
            }
        };
        let frame = CloseFrame { code: bye.0, reason: bye.1.into() };
        let _ = timeout(Duration::from_secs(2), socket.close(Some(frame))).await;
    }
}

/// Sends a text in frames; whether it went out.
async fn send(socket: &mut Socket, message: Bytes) -> bool {
    let sending = async {
        let frames = message.len().div_ceil(FRAME).max(1);
        for i in 0..frames {
            let data = message.slice(i * FRAME..message.len().min((i + 1) * FRAME));
            let code = if i == 0 { Data::Text } else { Data::Continue };
            socket.send(Message::Frame(Frame::message(data, OpCode::Data(code), i + 1 == frames))).await?;
        }
        Ok::<_, tungstenite::Error>(())
    };
    // Most messages go out at once, without a timer.
    let mut sending = Box::pin(sending);
    match sending.as_mut().now_or_never() {
        Some(done) => done.is_ok(),
        None => matches!(timeout(SENDING, sending).await, Ok(Ok(()))),
    }
}

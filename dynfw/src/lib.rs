//! The live feed of a dynamic firewall (DynFW): a list of addresses that attack right now, how it changes, and what they do.
//!
//! Both ends of the wire are here. A [`Subscriber`] hears a publisher over ZeroMQ PUB/SUB with CURVE and passes messages to a [`Listener`];
//! a [`Follower`] makes the list of them. A [`Publisher`] sends lists, deltas and events, numbered by [`Serials`], so that any client of
//! the original network can follow it. [`Message`] is the type of all messages.
//!
//! A message has two parts, a topic and a MessagePack map with string keys. The list has a serial number that grows by one with every
//! delta. Its version grows whenever the list is made from scratch.
//!
//! Everything that comes over the wire is hostile. It is parsed strictly or counted as a [`Fault`]. No input from a publisher, however
//! fast, makes memory grow.
//!
//! ZeroMQ is behind one module, `zeromq`.

mod certificate;
mod counters;
mod decode;
mod fault;
mod follower;
mod log_throttle;
mod message;
mod publisher;
mod serials;
mod subscriber;
mod zeromq;

pub use certificate::{Certificate, CertificateError, PublicKey};
pub use counters::{Counters, Topic};
pub use fault::Fault;
pub use follower::{Followed, Follower, List as FollowedList, Why};
pub use log_throttle::LogThrottle;
pub use message::{Change, Delta, Event, EventName, List, Message};
pub use publisher::{PublishError, Publisher};
pub use serials::{Saved, Serials};
pub use subscriber::{ConnectError, Listener, News, Subscriber, SubscriberSettings};

/// The largest part of a message that is parsed, in bytes: 200,000 IPv4 addresses fit.
pub const LARGEST_PART: usize = 4 * 1024 * 1024;

/// The most addresses of a list.
pub const MOST_ADDRESSES: usize = 200_000;

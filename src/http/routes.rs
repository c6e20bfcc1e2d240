//! Routes that can be listed. axum does not list them, and a description must contain each.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{self, MethodRouter};

/// Routes, and a list of them: method and path.
pub(crate) struct Routes<S> {
    router: Router<S>,
    listed: Vec<(&'static str, String)>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// Returns a set without routes.
    pub(crate) fn new() -> Self {
        Self { router: Router::new(), listed: Vec::new() }
    }

    pub(crate) fn get<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add("get", path, routing::get(handler))
    }

    pub(crate) fn post<T: 'static>(self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.add("post", path, routing::post(handler))
    }

    fn add(mut self, method: &'static str, path: &str, handler: MethodRouter<S>) -> Self {
        self.router = self.router.route(path, handler);
        self.listed.push((method, path.to_owned()));
        self
    }

    /// Adds the answer to the question that browsers send before a page of another site may ask. Not listed: nobody else has use for it.
    pub(crate) fn preflight<T: 'static>(mut self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.router = self.router.route(path, routing::options(handler));
        self
    }

    /// The refusal of all other methods, where it is to be another one than the usual.
    pub(crate) fn otherwise<T: 'static>(mut self, path: &str, handler: impl Handler<T, S>) -> Self {
        self.router = self.router.route(path, MethodRouter::new().fallback(handler));
        self
    }

    /// These and those.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.listed.extend(other.listed);
        self
    }

    /// Method, in small letters, and path of each.
    pub(crate) fn listed(&self) -> &[(&'static str, String)] {
        &self.listed
    }

    /// Returns the router that serves them.
    pub(crate) fn into_router(self) -> Router<S> {
        self.router
    }
}

/// Returns a path without the names of its parameters. A route has one parameter in a segment, where the description may have a name and an
/// ending.
pub(crate) fn shape(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.contains('{') { "{}" } else { segment });
    segments.collect::<Vec<_>>().join("/")
}

/// Holds routes against the description of them: neither has one that the other has not.
#[cfg(test)]
pub(crate) fn assert_described<S: Clone + Send + Sync + 'static>(routes: &Routes<S>, document: &str) {
    use std::collections::BTreeSet;
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    let described: BTreeSet<(&str, String)> = paths
        .iter()
        .flat_map(|(path, item)| item.as_object().unwrap().keys().map(move |method| (method.as_str(), shape(path))))
        .collect();
    let routed = routes.listed().iter().map(|(method, path)| (*method, shape(path))).collect();
    let missing = |these: &BTreeSet<_>, those| these.difference(those).cloned().collect::<Vec<_>>();
    assert_eq!(missing(&routed, &described), [], "routes for programs that are not described");
    assert_eq!(missing(&described, &routed), [], "described, and no route for programs");
}

//! Figures about requests, for Prometheus.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// The route and the status of a response. Routes are those of the document, so that their number
/// is limited.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// The figures of one server.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<Route, Histogram, fn() -> Histogram>,
    pub(super) in_flight: Gauge,
    images: Gauge,
    generation: Gauge,
}

/// From half a millisecond to 16 seconds.
fn histogram() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("sightline");
        let requests = Family::default();
        let seconds = Family::new_with_constructor(histogram as fn() -> Histogram);
        let (in_flight, images, generation) =
            (Gauge::default(), Gauge::default(), Gauge::default());
        registry.register(
            "requests",
            "Responses by route and status",
            requests.clone(),
        );
        registry.register(
            "request_seconds",
            "Time from a request to its response",
            seconds.clone(),
        );
        let help = "Requests that are being answered";
        registry.register("requests_in_flight", help, in_flight.clone());
        registry.register("images", "Images of the index", images.clone());
        let help = "Number of the commit that queries are answered from";
        registry.register("generation", help, generation.clone());
        Self {
            registry,
            requests,
            seconds,
            in_flight,
            images,
            generation,
        }
    }
}

impl Metrics {
    /// Notes a response of a route.
    pub(super) fn note(&self, route: String, status: u16, took: Duration) {
        let labels = Labels {
            route: route.clone(),
            status,
        };
        self.requests.get_or_create(&labels).inc();
        let seconds = self.seconds.get_or_create(&Route { route });
        seconds.observe(took.as_secs_f64());
    }

    /// All figures in Prometheus's text format.
    pub(super) fn text(&self, n_images: u64, generation: u64) -> Result<String, std::fmt::Error> {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        self.images.set(signed(n_images));
        self.generation.set(signed(generation));
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

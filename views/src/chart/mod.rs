//! Charts, rendered to SVG and tables on the server.
//!
//! The plots fill the room that the page gives them: positions are percentages, and curves live in a nested `svg` that is
//! stretched. So lines and letters keep their size from a phone to a wall, without script.

mod bars;
mod line;
mod map;
mod multi;
mod plot;
mod scale;
mod sightings;
mod standalone;
mod table;
mod time_axis;

use maud::Markup;
use sview_model::{Data, Dimension, Request};

use crate::words;

pub(crate) use map::world;
pub use standalone::standalone_svg;

/// The chart of a resource's data, in the form that fits its shape, with its values as a table.
#[must_use]
pub fn chart(request: &Request, data: &Data) -> Markup {
    match data {
        Data::Series(points) => line::line(request, points),
        Data::MultiSeries(multi) => multi::multi(request, multi),
        Data::Ranking(ranking) if words::dimension_of(request.resource().shape) == Some(Dimension::Sighting) => {
            sightings::sightings(request, ranking)
        }
        Data::Ranking(ranking) => bars::bars(request, ranking),
        Data::Map(counts) => map::map(request, counts),
    }
}

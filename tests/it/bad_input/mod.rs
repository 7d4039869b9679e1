//! Bad input at every door: each gets the right status and a problem document that says what is wrong, is counted, and
//! changes nothing. An authentic callback is the exception: whatever its JSON, it is kept as `callback.unreadable`.

mod amounts;
mod bodies;
mod callbacks;
mod certificate_urls;
mod certificates;
mod collisions;
mod commands;
mod fetching;
mod ground;
mod http;
mod kept;
mod made_bodies;
mod paypal_host;
mod signatures;
mod slow;
mod smuggling;

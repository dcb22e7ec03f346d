//! Simulated shops whose true effects are known.
//!
//! Every customer is drawn in both potential worlds, with the offer and without it, from the same random numbers; the ledger shows the world of the customer's arm,
//! [`Truth`] is the difference of the two. So an estimate can be held against what it estimates, not against another estimate.
//!
//! | | what it is |
//! |---|---|
//! | [`Retailer`] | a retailer as plain data: customers with stocks at home, categories and brands, seasons, general sales, empty shelves, returns, several offers at once, drawn by customer, by store or by past spend, with what can go wrong |
//! | [`Preset`] | retailers with a name: after published decompositions, and broken ones |
//! | [`SeniorMeat`] | the seed case of this field and the bundled sample: a 10 % coupon on meat for the segment Senior, issued on 10 days and valid for 15 more, half of it paid by the supplier |
//!
//! Both have what makes real ledgers hard: heavy-tailed customers with rhythms of their own, some without any line; seasons that a comparison of before
//! with after takes for an effect; redeemers who buy more anyway; substitutes given up; purchases moved forward from the weeks after; lines taken back.
//!
//! ```
//! use promolift::prelude::*;
//! use promolift::simulate::{Preset, Retailer};
//!
//! let world = Retailer { seed: 7, customers: 2_000, ..Retailer::preset(Preset::Cvs) }.draw()?;
//! let launch = &world.launches[0];
//! let ledger = Ledger::from_frames(world.transactions.clone(), world.products.clone(), &launch.promotion.columns())?;
//! let found = world.study(launch).measure(&ledger)?;
//! let estimate = found.effects.iter().find(|e| e.effect == "direct" && e.measure == "units").unwrap();
//! let truth = launch.truth.effect("direct", "units").unwrap().per_target_customer;
//! assert!((estimate.per_customer.value().unwrap() - truth).abs() < 4.0 * estimate.std_error.value().unwrap());
//! # Ok::<(), promolift::Error>(())
//! ```
//!
//! The same seed gives the same world on every machine, and a customer is the same however many others there are.

mod retailer;
mod senior_meat;
mod stream;
mod truth;

pub use retailer::{Allocation, Draw, GeneralSale, Launch, NotAPreset, Offer, Preset, Reaction, Retailer, RetailerWorld, Shopping, SupplierFunding};
pub use senior_meat::{Response, SeniorMeat, World};
pub use truth::{Decomposition, Expected, ExpectedEffect, ExpectedRow, MonteCarlo, TrueEffect, TrueRatio, TrueRow, TrueSupplier, Truth};

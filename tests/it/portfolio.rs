//! Many promotions on one source: each as it is alone, the league table, overlaps, sums over shared customers, waves.

mod example;
mod joint;
mod league;
mod measured;
mod small;
mod total;
mod waves;
mod year;

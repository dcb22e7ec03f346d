//! Lines drawn per second: a retailer with three offers.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use promolift::simulate::{Preset, Retailer};

fn retailers(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("retailer");
    group.sample_size(10);
    for preset in [Preset::Cvs, Preset::Several] {
        let retailer = Retailer { customers: 5_000, ..Retailer::preset(preset) };
        let lines = retailer.draw().unwrap().transactions.height();
        group.throughput(Throughput::Elements(lines as u64));
        group.bench_function(preset.name(), |b| b.iter(|| retailer.draw().unwrap()));
    }
    group.finish();
}

criterion_group!(benches, retailers);
criterion_main!(benches);

"""promolift, DuckDB and polars on the same data in one run, alternating: python benches/peers/run.py [ROWS] [DIR] [REPEATS]

Makes the workload in DIR if it is not there, builds the Rust side, then lets each measure promotions in turn, promolift once from the ledger and once from its
index, makes the index beside polars' group_by, measures all promotions, and prints the medians and their ratios: the table of the README. Needs: pip install "duckdb<2" polars pyarrow numpy. A release build of polars takes 10 to 18 minutes on two cores.
"""
import json, pathlib, statistics as st, subprocess, sys, time, datetime as dt

here = pathlib.Path(__file__).parent
rows = sys.argv[1] if len(sys.argv) > 1 else "2e7"
folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else here.parent.parent / "target" / f"workload-{rows}")
repeats = int(sys.argv[3]) if len(sys.argv) > 3 else 9

if not (folder / "assignments.parquet").exists():
    subprocess.run([sys.executable, here / "generate.py", rows, folder], check=True)
build = subprocess.run(["cargo", "bench", "--bench", "peers", "--no-run", "--message-format=json"], cwd=here.parent.parent, check=True, capture_output=True, text=True)
program = [m["executable"] for m in map(json.loads, build.stdout.splitlines()) if m.get("target", {}).get("name") == "peers" and m.get("executable")][-1]

import duckdb, polars as pl

measures = ("net_sales", "quantity", "discount")
tx, products, plan, focal, assigned = (pl.read_parquet(folder / f"{n}.parquet") for n in ("transactions", "products", "promotions", "focal", "assignments"))
con = duckdb.connect()
con.execute("set threads=2")
for name in ("transactions", "products", "promotions", "focal", "assignments"):
    con.execute(f"create table {name} as from '{folder}/{name}.parquet'")
cells = [(m, r, k) for m in measures for r in range(3) for k in range(3)]
sums = ",".join(f"coalesce(sum({m}) filter (r={r} and per={k}),0) {m}_{r}{k}" for m, r, k in cells)
moments = ",".join(f"avg({m}_{r}{k}) m_{m}_{r}{k},var_samp({m}_{r}{k}) v_{m}_{r}{k}" for m, r, k in cells)
SQL = """with f as (select product from focal where promotion={p}), w as (select * from promotions where promotion={p}),
need as (select distinct category from products join f using(product)),
role as (select product, case when product in (from f) then 0 when category in (from need) then 1 else 2 end r from products),
cell as (select a.customer, any_value(a.arm) which, {sums} from (select * from assignments where promotion={p}) a left join
 (select customer,net_sales,quantity,discount,r, case when day<w.start then 0 when day<=w."end" then 1 else 2 end per
  from transactions join role using(product), w where day between w.start-56 and w."end"+28) x using(customer) group by 1)
select which,count(*) n,{moments} from cell group by 1 order by 1"""


def by_duckdb(p):
    answer = con.execute(SQL.format(p=p, sums=sums, moments=moments))
    place = [d[0] for d in answer.description].index("m_net_sales_01")
    return {row[0]: row[place] for row in answer.fetchall()}


def by_polars(p):
    f = focal.filter(pl.col("promotion") == p)["product"]
    s, e = plan.row(by_predicate=pl.col("promotion") == p)[1:3]
    need = products.filter(pl.col("product").is_in(f.implode()))["category"].unique()
    role = products.lazy().select("product", r=pl.when(pl.col("product").is_in(f.implode())).then(0).when(pl.col("category").is_in(need.implode())).then(1).otherwise(2))
    a = assigned.lazy().filter(pl.col("promotion") == p).select("customer", "arm")
    lines = (
        tx.lazy()
        .filter(pl.col("day").is_between(s - dt.timedelta(56), e + dt.timedelta(28)))
        .join(a, on="customer", how="inner")
        .join(role, on="product")
        .with_columns(per=pl.when(pl.col("day") < s).then(0).when(pl.col("day") <= e).then(1).otherwise(2))
    )
    names = [f"{m}_{r}{k}" for m, r, k in cells]
    per = lines.group_by("customer").agg(pl.col(m).filter((pl.col("r") == r) & (pl.col("per") == k)).sum().alias(f"{m}_{r}{k}") for m, r, k in cells)
    out = a.join(per, on="customer", how="left").fill_null(0).group_by("arm").agg(pl.len(), *[pl.col(c).mean() for c in names], *[pl.col(c).var().alias("v_" + c) for c in names]).collect()
    return dict(zip(out["arm"], out["net_sales_01"]))


ours = subprocess.Popen([program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
_, frame_bytes = ours.stdout.readline().split()


def promolift(line):
    ours.stdin.write(f"{line}\n")
    ours.stdin.flush()
    return [float(x) for x in ours.stdout.readline().split()]


def timed(run):
    start = time.perf_counter()
    got = run()
    return time.perf_counter() - start, got


def group_by(engine):
    return tx.lazy().group_by("customer").agg(pl.col("net_sales").sum()).collect(engine=engine)


names = ("one from the ledger", "of which from_frames", "one from the index", "polars, one", "DuckDB, one", "the index", "polars group_by", "the same, streaming", "all promotions, with the index")
seconds = {name: [] for name in names}
bandwidth, beyond = [], promolift("ledger 0")[3]
for _ in range(3):
    made, most, kept = promolift("index")
    seconds["the index"].append(made)
    seconds["polars group_by"].append(timed(lambda: group_by("in-memory"))[0])
    seconds["the same, streaming"].append(timed(lambda: group_by("streaming"))[0])
    bandwidth.append(promolift("bandwidth")[0])
for p in range(repeats):
    made, measured, direct, _ = promolift(f"ledger {p}")
    seconds["one from the ledger"].append(made + measured)
    seconds["of which from_frames"].append(made)
    indexed, again = promolift(f"indexed {p}")
    seconds["one from the index"].append(indexed)
    assert again == direct, (p, again, direct)
    for name, run in (("polars, one", by_polars), ("DuckDB, one", by_duckdb)):
        took, got = timed(lambda: run(p))
        seconds[name].append(took)
        assert abs(got["target"] - got["control"] - direct) < 1e-9, (name, p, got, direct)
for _ in range(3):
    indexed, measured, found = promolift(f"portfolio {plan.height}")
    assert found == plan.height
    seconds["all promotions, with the index"].append(indexed + measured)
ours.stdin.close()
median = {name: st.median(s) for name, s in seconds.items()}
print(f"{tx.height:,} lines, {tx['customer'].n_unique():,} customers, {plan.height} promotions; {repeats} of them one at a time, alternating; the direct effects agree")
for name, s in seconds.items():
    print(f"{name:32} median {median[name]:.4f} s (min {min(s):.4f}, max {max(s):.4f})")
print(f"the index takes {median['the index'] / median['polars group_by']:.2f} times polars' group_by, {median['the index'] / median['the same, streaming']:.2f} times the same streaming")
for name in ("polars, one", "DuckDB, one"):
    alone, indexed = median[name] / median["one from the ledger"], median[name] / median["one from the index"]
    print(f"{name}: {alone:.1f} times promolift's from the ledger, {indexed:.1f} times that from the index, {median[name] * plan.height / median['all promotions, with the index']:.1f} times all with the index")
used = 8 * 3 * tx.height
print(f"memory bandwidth {st.median(bandwidth) / 1e9:.1f} GB/s: the numeric columns are read in {used / st.median(bandwidth):.4f} s")
numeric = tx.select(pl.selectors.numeric() | pl.selectors.temporal()).estimated_size()
print(f"memory: one from the ledger {beyond / 2**20:.0f} MiB beyond the frame of {float(frame_bytes) / 2**20:.0f} MiB; the index {most / numeric:.2f} times the numeric columns at its peak, {kept / numeric:.2f} kept")

"""promolift, DuckDB and polars on the same data in one run, alternating: python benches/peers/run.py [ROWS] [DIR] [REPEATS]

Makes the workload in DIR if it is not there, builds the Rust side, then lets each measure promotions in turn and prints the medians and their
ratios. Needs: pip install "duckdb<2" polars pyarrow numpy. A release build of polars takes 10 to 18 minutes on two cores.
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
_, frame_bytes, before = ours.stdout.readline().split()


def by_promolift(p):
    ours.stdin.write(f"{p}\n")
    ours.stdin.flush()
    return [float(x) for x in ours.stdout.readline().split()]


seconds = {"promolift": [], "of which from_frames": [], "polars": [], "duckdb": []}
for p in range(repeats):
    made, measured, direct, _, peak = by_promolift(p)
    seconds["promolift"].append(made + measured)
    seconds["of which from_frames"].append(made)
    for name, run in (("polars", by_polars), ("duckdb", by_duckdb)):
        start = time.perf_counter()
        got = run(p)
        seconds[name].append(time.perf_counter() - start)
        assert abs(got["target"] - got["control"] - direct) < 1e-9, (name, p, got, direct)
ours.stdin.close()
print(f"{tx.height:,} lines, {repeats} promotions, one at a time, alternating; the direct effects agree")
for name, s in seconds.items():
    print(f"{name:22} median {st.median(s):.4f} s (min {min(s):.4f}, max {max(s):.4f})")
for name in ("polars", "duckdb"):
    print(f"promolift / {name}: {st.median(seconds['promolift']) / st.median(seconds[name]):.2f}, median of ratios {st.median(a / b for a, b in zip(seconds['promolift'], seconds[name])):.2f}")
print(f"memory beyond the frame: {(peak - float(before)) / 2**20:.0f} MiB, frame {float(frame_bytes) / 2**20:.0f} MiB")

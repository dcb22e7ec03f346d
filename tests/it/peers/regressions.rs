//! Covariates and clusters.

use promolift::estimate::{ClusterRule, Contrast, Cuped, Design, Estimator, Level, Regression, Unadjusted};
use promolift::study::{Arm, CovarianceRule, DfRule, Population};

use crate::compare::relative;

use super::data::{Answer, Table, contrast, df, effect, means, p, six, t, with_df};
use super::{Case, NONE};

const OWN_SLOPE: &str =
    "The slope is pooled over both arms with the shift between them in it; promolift's is pooled within the arms, which no effect can bend.";
const N_OVER_N_K: &str = "Multiplied by N/(N - K); HC2 and HC3 of MacKinnon and White have no such factor, nor have promolift's.";
const JACKKNIFE: &str = "The jackknife over clusters; promolift's answer to few clusters is CR2 with Bell and McCaffrey's degrees of freedom.";

const HC: [(&str, CovarianceRule); 4] =
    [("HC0", CovarianceRule::Hc0), ("HC1", CovarianceRule::Hc1), ("HC2", CovarianceRule::Hc2), ("HC3", CovarianceRule::Hc3)];

pub(super) fn cases() -> Vec<Case> {
    vec![cuped(), lin(), clusters(), villages()]
}

struct Covariates {
    arm: Vec<Arm>,
    y: Vec<f64>,
    x: Vec<Vec<f64>>,
}

impl Covariates {
    fn read(names: &[&str]) -> Self {
        let table = Table::read("cuped_lin.csv");
        Self { arm: table.arms("arm"), y: table.column("y"), x: names.iter().map(|name| table.column(name)).collect() }
    }

    fn fit(&self, estimator: &dyn Estimator) -> Contrast {
        let x: Vec<&[f64]> = self.x.iter().map(Vec::as_slice).collect();
        contrast(estimator, &Design::new(&self.arm).with_covariates(&x), &[&self.y])
    }
}

fn two(contrast: &Contrast) -> [f64; 2] {
    let found = effect(contrast, Level::default());
    [found.value, found.std_error]
}

fn cuped() -> Case {
    let mut case = Case::new(
        "cuped_one",
        "One covariate from before, one slope: three libraries take the slope over everybody, promolift within the arms as least squares does.",
    );
    let data = Covariates::read(&["x1"]);
    let found = data.fit(&Cuped::default());
    let answer = Answer::of(&found);
    answer.tea(&mut case, Some(OWN_SLOPE));
    // The slope is what the adjustment took from the difference, over the gap of the covariate.
    let gap = effect(&means(&data.arm, &data.x[0]), Level::default()).value;
    let plain = effect(&means(&data.arm, &data.y), Level::default()).value;
    case.differs("theta", (plain - answer.estimate.value) / gap, OWN_SLOPE);
    answer.gb(&mut case, Some(OWN_SLOPE));
    let normal = six(&effect(&found, with_df(DfRule::Normal)));
    case.differs("spotify.abs_True", [normal[0], normal[4], normal[5], normal[3]], OWN_SLOPE);
    case.differs("spotify.abs_True.std_err", normal[1], OWN_SLOPE);
    let relative = found.relative(&[1.0], with_df(DfRule::Normal));
    let [low, high] = super::data::limits(&relative.interval);
    let naive = "The interval of the effect over the control's mean, as if that were known; and another slope.";
    case.differs("spotify.abs_False", [relative.estimate.value().unwrap(), low, high, normal[3]], naive);
    case.differs("spotify.abs_False.std_err", normal[1], naive);
    for (name, covariance) in HC {
        case.ours(&format!("ancova.{name}"), two(&data.fit(&Cuped { covariance })));
    }
    case
}

fn lin() -> Case {
    let mut case = Case::new("lin_hc2", "Lin's regression with three covariates: one estimate, and as many standard errors as there are small-sample factors.");
    let data = Covariates::read(&["x1", "x2", "x3"]);
    let by = |covariance| data.fit(&Regression { covariance, ..Regression::default() });
    let hc2 = by(CovarianceRule::Default);
    let residual = |contrast: &Contrast| six(&effect(contrast, with_df(DfRule::Residual)));
    case.differs("statsmodels.nonrobust", residual(&hc2), "One residual variance for all customers; promolift's covariances allow another for each.");
    for (name, covariance) in HC {
        case.option(&format!("statsmodels.{name}"), residual(&by(covariance)), "df = residual");
    }
    case.ours("pyfixest.HC1", two(&by(CovarianceRule::Hc1)));
    case.option("pyfixest.HC1.k_adj_False", two(&by(CovarianceRule::Hc0)), "covariance = HC0, as it is then");
    case.differs("pyfixest.HC2", two(&by(CovarianceRule::Hc2)), N_OVER_N_K);
    case.ours("pyfixest.HC2.k_adj_False", two(&by(CovarianceRule::Hc2)));
    case.differs("pyfixest.HC3", two(&by(CovarianceRule::Hc3)), N_OVER_N_K);
    case.ours("pyfixest.HC3.k_adj_False", two(&by(CovarianceRule::Hc3)));
    let population = data.fit(&Regression { population: Population::Super, ..Regression::default() });
    let [value, assigned] = two(&hc2);
    let homoskedastic = "One residual variance within each arm; promolift's default is HC2, and the population term is added to that.";
    case.differs("per_arm_ols", [value, assigned, two(&population)[1]], homoskedastic);
    let pooled = effect(&data.fit(&Cuped::default()), Level::default());
    case.differs("cuped3.theta", NONE, OWN_SLOPE);
    case.differs("cuped3.diff", pooled.value, OWN_SLOPE);
    case.differs("cuped3.t_df_p", [t(&pooled), df(&pooled), p(&pooled)], OWN_SLOPE);
    case
}

fn clusters() -> Case {
    let mut case = Case::new("cluster_robust", "Eighteen stores of unequal size, assigned whole: the rules differ by a fifth in the standard error.");
    let table = Table::read("cluster_robust.csv");
    let (arm, y, codes) = (table.arms("arm"), table.column("y"), table.codes("cluster"));
    let by = |rule| effect(&contrast(&Unadjusted, &Design::new(&arm).with_clusters(&codes, rule), &[&y]), Level::default());
    // Without its correction of the degrees of freedom the peer takes those of the residuals.
    let cr0 = contrast(&Unadjusted, &Design::new(&arm).with_clusters(&codes, ClusterRule::Cr0), &[&y]);
    case.option("statsmodels.cr0", six(&effect(&cr0, with_df(DfRule::Residual))), "df = residual");
    case.ours("statsmodels.cr1", six(&by(ClusterRule::Cr1)));
    case.ours("pyfixest.CRV1", six(&by(ClusterRule::Cr1)));
    let cr2 = by(ClusterRule::Default);
    case.differs("pyfixest.CRV3", six(&cr2), JACKKNIFE);
    case.ours("cr2", [cr2.value, cr2.std_error, df(&cr2), t(&cr2), p(&cr2)]);
    // The mean of each store as one customer.
    let last = codes.iter().copied().max().unwrap();
    let (mut store_arm, mut store_mean) = (Vec::new(), Vec::new());
    for code in 0..=last {
        let rows: Vec<usize> = (0..codes.len()).filter(|&row| codes[row] == code).collect();
        store_arm.push(arm[rows[0]]);
        store_mean.push(rows.iter().map(|&row| y[row]).sum::<f64>() / rows.len() as f64);
    }
    let found = effect(&means(&store_arm, &store_mean), Level::default());
    case.ours("cluster_means.welch", [t(&found), df(&found), p(&found)]);
    case
}

fn villages() -> Case {
    let mut case = Case::new("thornton_hiv", "A published experiment in villages, with and without covariates, by customer and by village.");
    let table = Table::read("thornton_hiv.csv");
    let (arm, got, codes) = (table.arms("any"), table.column("got"), table.codes("villnum"));
    let x = [table.column("distvct"), table.column("age")];
    let all: [&[f64]; 2] = [&x[0], &x[1]];
    for (formula, covariates) in [("got ~ any", &all[..0]), ("got ~ any + distvct + age", &all[..])] {
        let design = Design::new(&arm).with_covariates(covariates);
        let by = |covariance| two(&contrast(&Cuped { covariance }, &design, &[&got]));
        case.ours(&format!("{formula}|HC1"), by(CovarianceRule::Hc1));
        case.differs(&format!("{formula}|HC2"), by(CovarianceRule::Hc2), N_OVER_N_K);
        let clustered = |rule| contrast(&Cuped::default(), &design.with_clusters(&codes, rule), &[&got]);
        case.ours(&format!("{formula}|CRV1"), two(&clustered(ClusterRule::Cr1)));
        case.differs(&format!("{formula}|CRV3"), two(&clustered(ClusterRule::Cr2)), JACKKNIFE);
        if covariates.is_empty() {
            let found = effect(&clustered(ClusterRule::Cr1), Level::default());
            case.ours("statsmodels.cr1", [found.value, found.std_error, p(&found)]);
            // Without covariates all three are one least squares.
            let cr2: Vec<[f64; 2]> = [&Unadjusted as &dyn Estimator, &Cuped::default(), &Regression::default()]
                .map(|estimator| two(&contrast(estimator, &design.with_clusters(&codes, ClusterRule::Cr2), &[&got])))
                .into();
            cr2.iter().for_each(|found| relative("CR2 without covariates", found[1], cr2[0][1], 1e-12));
        }
    }
    case
}

use super::*;

fn wanted() -> AssignmentColumns {
    AssignmentColumns { stratum: Some("class".into()), segments: vec!["income".into()], attributes: vec!["age".into()], ..AssignmentColumns::default() }
}

fn read(frame: &DataFrame, wanted: &AssignmentColumns, promotion: Option<&str>) -> Result<Assignment> {
    Assignment::from_frame(frame.clone(), &Columns::default(), wanted, promotion)
}

fn read_both(frame: &DataFrame, customers: &DataFrame) -> Result<Assignment> {
    Assignment::from_frames(frame.clone(), Some(customers.clone()), &Columns::default(), &wanted(), None)
}

fn two_arms() -> DataFrame {
    df!["customer" => ["a", "b", "c"], "arm" => ["target", "control", "control"]].unwrap()
}

fn faults(error: &crate::Error) -> Vec<Fault> {
    error.problems().iter().map(|p| p.fault).collect()
}

#[test]
fn arms_are_read_in_any_case_and_with_blanks() {
    let frame = df!["customer" => [1_i32, 2], "arm" => [" Target", "CONTROL "]].unwrap();
    let assignment = read(&frame, &AssignmentColumns::default(), None).unwrap();
    assert_eq!(assignment.customers, Ids::from([1, 2]));
    assert_eq!(assignment.arm, [Arm::Target, Arm::Control]);
}

#[test]
fn arms_may_be_categoricals() {
    let mut frame = two_arms();
    frame.try_apply("arm", |arm| arm.cast(&DataType::from_categories(Categories::global()))).unwrap();
    assert_eq!(read(&frame, &AssignmentColumns::default(), None).unwrap().arm, [Arm::Target, Arm::Control, Arm::Control]);
}

#[test]
fn strata_segments_and_attributes_are_read_and_a_null_has_its_own_name() {
    let mut frame = two_arms();
    frame.with_column(Column::new("class".into(), [2_i64, 1, 2])).unwrap();
    frame.with_column(Column::new("income".into(), [Some("35-49K"), None, Some("35-49K")])).unwrap();
    frame.with_column(Column::new("age".into(), [40_i64, 50, 60])).unwrap();
    let assignment = read(&frame, &wanted(), None).unwrap();
    assert_eq!(assignment.stratum.unwrap(), Codes { names: vec!["2".into(), "1".into()], codes: vec![0, 1, 0] });
    assert_eq!(assignment.segments[0].1, Codes { names: vec!["35-49K".into(), "(none)".into()], codes: vec![0, 1, 0] });
    assert_eq!(assignment.attributes, [("age".to_owned(), vec![40.0, 50.0, 60.0])]);
}

#[test]
fn all_problems_come_at_once() {
    let frame = df!["customer" => [Some("a"), None], "arm" => ["treated", "control"], "age" => [Some(1.0), None]].unwrap();
    let error = read(&frame, &wanted(), None).unwrap_err();
    let expected = [Fault::Null, Fault::UnknownArm, Fault::MissingColumn, Fault::MissingColumn, Fault::Null];
    assert_eq!(faults(&error), expected, "{error}");
    let arm = &error.problems()[1];
    assert_eq!((arm.row, arm.value.as_deref(), arm.count), (Some(1), Some("treated"), Some(1)));
}

#[test]
fn a_misspelt_column_names_the_nearest() {
    let frame = df!["customer" => ["a"], "arms" => ["target"]].unwrap();
    let error = read(&frame, &AssignmentColumns::default(), None).unwrap_err();
    assert!(error.to_string().contains("Did you mean `arms`"), "{error}");
}

#[test]
fn only_rows_of_the_promotion_are_kept_and_problems_count_rows_of_the_frame() {
    let frame = df!["customer" => ["a", "a", "b"], "arm" => ["target", "target", "out"], "promotion" => ["c5", "c8", "c8"]].unwrap();
    let error = read(&frame, &AssignmentColumns::default(), Some("c8")).unwrap_err();
    assert_eq!(error.problems()[0].row, Some(3), "{error}");
    assert_eq!(read(&frame, &AssignmentColumns::default(), Some("c5")).unwrap().len(), 1);
}

#[test]
fn a_promotion_without_rows_names_those_found() {
    let frame = df!["customer" => ["a"], "arm" => ["target"], "promotion" => ["c8"]].unwrap();
    let error = read(&frame, &AssignmentColumns::default(), Some("c9")).unwrap_err();
    assert!(error.to_string().contains("Promotions found: c8"), "{error}");
}

#[test]
fn what_the_assignments_lack_is_looked_up_by_customer() {
    let customers = df!["customer" => ["c", "a", "b"], "class" => [3, 1, 2], "income" => ["x", "y", "x"], "age" => [30.0, 10.0, 20.0]].unwrap();
    let assignment = read_both(&two_arms(), &customers).unwrap();
    assert_eq!(assignment.stratum.as_ref().unwrap().names, ["1", "2", "3"]);
    assert_eq!(assignment.segments[0].1.codes, [0, 1, 1]);
    assert_eq!(assignment.attribute("age").unwrap(), [10.0, 20.0, 30.0]);
}

#[test]
fn a_customer_without_a_row_has_no_segment_but_needs_an_attribute() {
    let customers = df!["customer" => ["a", "b"], "class" => [1, 2], "income" => ["y", "x"], "age" => [10.0, 20.0]].unwrap();
    let error = read_both(&two_arms(), &customers).unwrap_err();
    assert_eq!(faults(&error), [Fault::Null], "{error}");
    let wanted = AssignmentColumns { attributes: Vec::new(), ..wanted() };
    let assignment = Assignment::from_frames(two_arms(), Some(customers), &Columns::default(), &wanted, None).unwrap();
    assert_eq!(assignment.stratum.unwrap().names, ["1", "2", "(none)"]);
}

#[test]
fn customers_of_another_type_twice_or_never_are_problems() {
    let of = |customer: Column| {
        let n = customer.len();
        DataFrame::new(
            n,
            vec![customer, Column::new("class".into(), vec![1; n]), Column::new("income".into(), vec!["x"; n]), Column::new("age".into(), vec![1.0; n])],
        )
    };
    let error = |customer| read_both(&two_arms(), &of(customer).unwrap()).unwrap_err();
    assert_eq!(faults(&error(Column::new("customer".into(), [1, 2, 3]))), [Fault::IdTypes]);
    assert_eq!(faults(&error(Column::new("customer".into(), ["a", "b", "c", "b"]))), [Fault::DuplicateCustomer]);
    assert!(faults(&error(Column::new("customer".into(), ["x", "y"]))).contains(&Fault::NoCommonIds));
}

#[test]
fn the_promotion_may_stand_with_the_customers() {
    let customers = df!["customer" => ["a", "b", "c"], "promotion" => ["c8", "c8", "c5"]].unwrap();
    let none = AssignmentColumns::default();
    let assignment = Assignment::from_frames(two_arms(), Some(customers), &Columns::default(), &none, Some("c8")).unwrap();
    assert_eq!(assignment.customers, Ids::from(["a", "b"]));
}

#[test]
fn an_empty_frame_is_a_problem() {
    let frame = two_arms().head(Some(0));
    assert_eq!(faults(&read(&frame, &AssignmentColumns::default(), None).unwrap_err()), [Fault::Empty]);
}

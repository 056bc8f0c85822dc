//! An arena counts what is asked for, remembers what did not fit, and keeps little.

use super::arena::Arena;
use super::value::Failed;

#[test]
fn lists_and_texts_take_what_they_have_room_for() {
    let arena = Arena::new(1000);
    let mut list = arena.list::<u64>();
    for number in 0..4 {
        assert_eq!(list.push(number), Ok(()));
    }
    assert_eq!(arena.left(), 1000 - 4 * 8);
    assert_eq!(list.push(4), Ok(()));
    assert_eq!(arena.left(), 1000 - (4 + 8) * 8, "the first room counts on");
    assert_eq!(list.into_slice(), [0, 1, 2, 3, 4]);

    let mut text = arena.text(10).expect("it fits");
    assert_eq!(text.push_str("0123456789"), Ok(()));
    assert_eq!(arena.left(), 894);
    assert_eq!(text.push_str("x"), Ok(()));
    assert_eq!(arena.left(), 874);
    assert_eq!(text.into_str(), "0123456789x");
    assert_eq!(arena.put("four").map(|text| &*text), Ok("four"));
    assert_eq!(arena.left(), 870);
    assert!(!arena.is_full());
}

#[test]
fn what_does_not_fit_is_remembered_until_the_arena_is_cleared() {
    let mut arena = Arena::new(100);
    assert_eq!(arena.put(&"x".repeat(101)), Err(Failed));
    assert_eq!(arena.put("x").map(|text| &*text), Ok("x"), "what fits is given all the same");
    assert!(arena.is_full());
    arena.clear(100);
    assert!(!arena.is_full());
    assert_eq!(arena.text(101).map(|_| ()), Err(Failed));
    arena.clear(101);
    assert_eq!(arena.text(101).map(|_| ()), Ok(()));

    arena.clear(100);
    let mut list = arena.list::<u64>();
    let pushed = (0..).take_while(|number| list.push(*number).is_ok()).count();
    assert_eq!(pushed, 8, "room for 4, then for 8");
    assert!(arena.is_full());
}

#[test]
fn a_large_arena_is_not_kept() {
    let mut arena = Arena::new(1 << 24);
    assert!(arena.put(&"x".repeat(1 << 23)).is_ok());
    assert!(arena.allocated() >= 1 << 23);
    arena.trim();
    assert_eq!(arena.allocated(), 0);
}

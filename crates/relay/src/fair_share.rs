//! Who should lead how many shops. Nobody hands out shops: an instance that leads fewer than another asks that one for some,
//! until none leads two more than itself. Whoever is asked hands over after its batch.
//!
//! Only what brings two instances nearer to each other is asked for, so that no shop goes to and fro.

use std::collections::BTreeMap;

use domain::ShopId;

/// A shop as every instance sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) shop: ShopId,
    /// Who leads it now.
    pub(crate) leader: Option<String>,
    /// Who has asked to lead it next.
    pub(crate) next: Option<String>,
}

impl Seen {
    /// Whose it is, or is about to be.
    fn owner(&self) -> Option<&str> {
        self.next.as_deref().or(self.leader.as_deref())
    }
}

/// The shops that this instance should ask for, which others lead. None where it has its share: where nobody has two more.
pub(crate) fn to_ask_for<'a>(me: &str, shops: &'a [Seen]) -> Vec<&'a ShopId> {
    let mut mine = 0;
    let mut others: BTreeMap<&str, (usize, Vec<&ShopId>)> = BTreeMap::new();
    for seen in shops {
        match seen.owner() {
            Some(owner) if owner == me => mine += 1,
            Some(owner) => {
                let (count, to_give) = others.entry(owner).or_default();
                *count += 1;
                // What somebody has asked for already is that one's.
                if seen.next.is_none() {
                    to_give.push(&seen.shop);
                }
            }
            None => {}
        }
    }
    let mut asked = Vec::new();
    while let Some((count, to_give)) =
        others.values_mut().filter(|(_, to_give)| !to_give.is_empty()).max_by_key(|(count, _)| *count)
    {
        if *count < mine + 2 {
            break;
        }
        asked.extend(to_give.pop());
        *count -= 1;
        mine += 1;
    }
    asked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(number: usize, leader: Option<&str>, next: Option<&str>) -> Seen {
        Seen {
            shop: ShopId::parse(&format!("shop-{number:03}")).unwrap(),
            leader: leader.map(str::to_owned),
            next: next.map(str::to_owned),
        }
    }

    /// So many shops each.
    fn led(by: &[(&str, usize)]) -> Vec<Seen> {
        let leaders = by.iter().flat_map(|(leader, count)| std::iter::repeat_n(*leader, *count));
        leaders.enumerate().map(|(number, leader)| seen(number, Some(leader), None)).collect()
    }

    #[test]
    fn given_one_that_leads_all_when_another_comes_then_it_asks_for_half() {
        assert_eq!(to_ask_for("b", &led(&[("a", 8)])).len(), 4);
        assert_eq!(to_ask_for("b", &led(&[("a", 9)])).len(), 4, "one more is no reason");
        assert_eq!(to_ask_for("a", &led(&[("a", 8)])), Vec::<&ShopId>::new());
    }

    #[test]
    fn given_a_difference_of_one_when_looked_at_then_nobody_asks() {
        let shops = led(&[("a", 4), ("b", 3), ("c", 3)]);
        for me in ["a", "b", "c"] {
            assert!(to_ask_for(me, &shops).is_empty(), "{me}");
        }
        assert!(to_ask_for("b", &led(&[("a", 1)])).is_empty(), "the only shop stays where it is");
        assert!(to_ask_for("b", &[]).is_empty());
    }

    #[test]
    fn given_several_that_lead_when_another_comes_then_it_asks_who_leads_most() {
        let shops = led(&[("a", 6), ("b", 2)]);
        let asked = to_ask_for("c", &shops);
        assert_eq!(asked.len(), 3);
        assert!(asked.iter().all(|shop| shops[..6].iter().any(|seen| seen.shop == **shop)), "all are of a");
    }

    #[test]
    fn given_shops_that_were_asked_for_when_looked_at_then_they_count_for_the_next_and_are_asked_for_by_nobody()
     {
        let shops: Vec<Seen> =
            (0..6).map(|number| seen(number, Some("a"), (number < 3).then_some("b"))).collect();
        assert!(to_ask_for("b", &shops).is_empty(), "it waits for what it asked for");
        assert!(to_ask_for("a", &shops).is_empty());
        let asked = to_ask_for("c", &shops);
        assert!(!asked.is_empty() && asked.iter().all(|shop| shops[3..].iter().any(|s| s.shop == **shop)));
    }

    #[test]
    fn given_shops_that_nobody_leads_when_looked_at_then_they_count_for_nobody() {
        let mut shops = led(&[("a", 1)]);
        shops.extend((1..9).map(|number| seen(number, None, None)));
        assert!(to_ask_for("b", &shops).is_empty(), "what is free is taken, not asked for");
    }

    proptest! {
        /// All of them look at the same moment, and what two ask for is the first one's.
        #[test]
        fn given_any_start_when_all_ask_again_and_again_then_it_is_even_and_stays_so(
            leaders in proptest::collection::vec(0_usize..5, 0..60),
            instances in 1_usize..5,
        ) {
            let names = ["a", "b", "c", "d"];
            let mut shops: Vec<Seen> = leaders.iter().enumerate()
                .map(|(number, leader)| seen(number, names[..instances].get(*leader).copied().or(Some("a")), None))
                .collect();
            for _ in 0..20 {
                let asked: Vec<(usize, Vec<ShopId>)> = (0..instances)
                    .map(|me| (me, to_ask_for(names[me], &shops).into_iter().cloned().collect()))
                    .collect();
                for (me, asked) in asked {
                    for seen in shops.iter_mut().filter(|seen| asked.contains(&seen.shop)) {
                        seen.next.get_or_insert_with(|| names[me].to_owned());
                    }
                }
                for seen in &mut shops {
                    seen.leader = seen.next.take().or(seen.leader.take());
                }
            }
            let counts = names[..instances].iter()
                .map(|name| shops.iter().filter(|seen| seen.leader.as_deref() == Some(name)).count());
            let (least, most) = (counts.clone().min().unwrap(), counts.max().unwrap());
            prop_assert!(most - least <= 1, "{least} and {most}");
            for me in &names[..instances] {
                prop_assert!(to_ask_for(me, &shops).is_empty());
            }
        }
    }
}

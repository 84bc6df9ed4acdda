//! The progress of an audit: what has been found and read so far.

use std::sync::Mutex;

use basewatch::{
    audit::AuditProgress,
    inventory::{InventoryCounts, ReadCount},
};
use testbed::company::{Company, EU, NEWEST, OLD, SHOP};

/// Audits `company`, and returns the counts of its inventory and then of its bases.
async fn progress_of(company: &Company) -> (Vec<InventoryCounts>, Vec<(usize, usize)>) {
    let seen = Mutex::new((Vec::new(), Vec::new()));
    let record = |progress: AuditProgress| {
        let (inventory, bases) = &mut *seen.lock().unwrap();
        match progress {
            AuditProgress::Inventory(counts) => {
                assert!(bases.is_empty(), "the inventory is read first");
                inventory.push(counts);
            }
            AuditProgress::Bases { done, total } => bases.push((done, total)),
        }
    };
    company.audit_with_progress(&record).await;
    seen.into_inner().unwrap()
}

#[tokio::test]
async fn functions_and_images_are_counted_while_they_are_read() {
    let company = Company::new();
    for function in ["cart", "search", "orders"] {
        company.run(SHOP, EU, function, OLD);
    }
    let (inventory, bases) = progress_of(&company).await;
    assert_eq!(inventory[0], InventoryCounts::default());
    let last = *inventory.last().unwrap();
    assert_eq!((last.functions, last.versions), (3, ReadCount { done: 3, total: 3 }));
    assert_eq!(last.images, ReadCount { done: 3, total: 3 });
    for pair in inventory.windows(2) {
        let all = |counts: InventoryCounts| {
            let InventoryCounts { functions, versions, services, repositories, images } = counts;
            [functions, versions.done, versions.total, services, repositories, images.done, images.total]
        };
        let (earlier, later) = (all(pair[0]), all(pair[1]));
        assert!(earlier.iter().zip(later).all(|(earlier, later)| *earlier <= later), "{earlier:?} {later:?}");
        assert!(pair[1].versions.done <= pair[1].versions.total && pair[1].images.done <= pair[1].images.total);
    }
    assert_eq!(bases.first(), Some(&(0, 1)));
    assert_eq!(bases.last(), Some(&(1, 1)));
    // The next audit reads only what is new.
    company.run(SHOP, EU, "invoices", NEWEST);
    let (inventory, _) = progress_of(&company).await;
    let last = *inventory.last().unwrap();
    assert_eq!((last.functions, last.versions.total, last.images.total), (4, 1, 1));
}

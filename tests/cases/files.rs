//! Files as logs leave them: rotated, compressed, grown.

use sview_testing::both;

use crate::read;
use crate::stored::Stored;

both! {
    async fn a_cowrie_log_gives_its_rows(deployment: Deployment) {
        read(&deployment, &[], &["rotated.json"], 0);
        let stored = Stored::of(&deployment).await;
        assert_eq!(stored.counts(), [3, 1, 0]);
        assert_eq!(stored.incidents[1], "2025-03-01T10:00:01Z 1 haas login 198.51.100.9 -");
        assert_eq!(stored.passwords, ["2025-03-01T10:00:01Z 1 root/root"]);
    }
}

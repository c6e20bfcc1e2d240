//! How statements are run and rows are read: the same text for both engines, since sqlx has a type of its own for each.

/// Writes [`Statements`](super::Statements) for a transaction whose field `tx` is one of this database's.
macro_rules! statements {
    ($tx:ty, $db:ty) => {
        type DbRow = <$db as sqlx::Database>::Row;

        /// A statement that is used once in this wording: not worth a place among the prepared ones.
        fn once(sql: String, binds: &[String]) -> Query<'_, $db, <$db as sqlx::Database>::Arguments> {
            let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            binds.iter().fold(query, |query, bind| query.bind(bind.as_str()))
        }

        #[async_trait]
        impl Statements for $tx {
            async fn execute(&mut self, sql: String) -> Result<u64> {
                self.execute_with(sql, &[]).await
            }

            async fn execute_with(&mut self, sql: String, binds: &[String]) -> Result<u64> {
                Ok(once(sql, binds).execute(&mut *self.tx).await?.rows_affected())
            }

            async fn ints(&mut self, sql: String) -> Result<Vec<Vec<Option<i64>>>> {
                let rows = once(sql, &[]).fetch_all(&mut *self.tx).await?;
                let read = |row: &DbRow| (0..row.len()).map(|i| Ok(row.try_get(i)?)).collect();
                rows.iter().map(read).collect()
            }

            async fn rows(&mut self, sql: String, texts: usize, binds: &[String]) -> Result<Vec<Row>> {
                let rows = once(sql, binds).fetch_all(&mut *self.tx).await?;
                let read = |row: &DbRow| {
                    let texts = (0..texts).map(|i| Ok(row.try_get(i)?)).collect::<Result<_>>();
                    let ints = (texts.as_ref().map_or(0, Vec::len)..row.len()).map(|i| Ok(row.try_get(i)?));
                    Ok(Row { ints: ints.collect::<Result<_>>()?, texts: texts? })
                };
                rows.iter().map(read).collect()
            }

            async fn blob(&mut self, sql: String) -> Result<Option<Vec<u8>>> {
                let row = once(sql, &[]).fetch_optional(&mut *self.tx).await?;
                Ok(row.map(|row| row.try_get(0)).transpose()?)
            }

            async fn each(&mut self, sql: String, texts: usize, visit: Visit<'_>) -> Result<()> {
                let mut rows = once(sql, &[]).fetch(&mut *self.tx);
                let mut ints = Vec::new();
                while let Some(row) = rows.try_next().await? {
                    let mut words = [None; TEXTS];
                    for (i, word) in words.iter_mut().take(texts).enumerate() {
                        *word = row.try_get(i)?;
                    }
                    ints.clear();
                    for i in texts..row.len() {
                        ints.push(row.try_get(i)?);
                    }
                    visit(&words[..texts], &ints)?;
                }
                Ok(())
            }

            async fn each_tally(
                &mut self,
                kind: Kind,
                precision: Precision,
                (start, finish): (Micros, Micros),
                visit: VisitTally<'_>,
            ) -> Result<()> {
                let mut rows = sqlx::query(
                    "SELECT bucket, body FROM sview_tally
                     WHERE kind = $1 AND precision = $2 AND bucket >= $3 AND bucket < $4 ORDER BY bucket",
                )
                .persistent(false)
                .bind(kind.as_str())
                .bind(precision.as_str())
                .bind(start)
                .bind(finish)
                .fetch(&mut *self.tx);
                while let Some(row) = rows.try_next().await? {
                    visit(row.try_get(0)?, row.try_get::<&[u8], _>(1)?)?;
                }
                Ok(())
            }
        }
    };
}

pub(super) use statements;

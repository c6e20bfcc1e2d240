// Asks a server about passwords with the package hibp: node hibp.js BASE_URL NODE_MODULES PASSWORD…; a line of JSON.
const [base, modules, ...passwords] = process.argv.slice(2);
const { pwnedPassword } = await import(`file://${modules}/hibp/dist/esm/hibp.js`);
const counts = [];
for (const password of passwords) {
  counts.push(await pwnedPassword(password, { baseUrl: base }));
  counts.push(await pwnedPassword(password, { baseUrl: base, addPadding: true }));
}
console.log(JSON.stringify(counts));

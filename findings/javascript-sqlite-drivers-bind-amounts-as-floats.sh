#!/usr/bin/env bash
# sql.js 1.16.0 and @libsql/client 0.18.0 on Node 20: a whole number as a parameter, and SQL that divides it by another.
# Behaviour: SQLite is given an integer or a float by the driver's choice, and 7/2 is 3 or 3.5 accordingly. sql.js sends
# an integer below 2^31 and a float from there on, so the same statement answers by another rule for larger amounts.
# libsql sends a float always. A BigInt is an integer to libsql and a text to sql.js.
# Amounts that are stored in INTEGER columns are whole again; amounts in expressions, JSON and untyped columns are not.
# Output seen: "sql.js: 2147483647 integer 2147, 2147483648 real 2147.483648, 5000000001n text 5000"
#              "libsql: 2147483647 real 2147.483647, 2147483648 real 2147.483648, 5000000001n integer 5000"
# Lesson: write CAST(? AS INTEGER) around each amount, and test with one above 2^31.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$folder" "sql.js@1.16.0" "@libsql/client@0.18.0"
cat > "$folder/bind.cjs" <<'NODE'
const assert = require('node:assert');
const {createClient} = require('@libsql/client');
const openSqlJs = require('sql.js');

const AMOUNTS = [2147483647, 2147483648, 5000000001n];
const written = (amount) => String(amount) + (typeof amount === 'bigint' ? 'n' : '');

async function told(name, ask, parameter) {
  const answers = [];
  for (const amount of AMOUNTS) {
    const [type, credits] = await ask(`SELECT typeof(${parameter}), ${parameter} / 1000000`, amount);
    answers.push(`${written(amount)} ${type} ${credits}`);
  }
  console.log(`${name}: ${answers.join(', ')}`);
  return answers;
}

(async () => {
  const sqlJs = new (await openSqlJs()).Database();
  const libsql = createClient({url: ':memory:'});
  const bySqlJs = (sql, amount) => sqlJs.exec(sql, [amount])[0].values[0];
  const byLibsql = async (sql, amount) => Object.values((await libsql.execute({sql, args: [amount]})).rows[0]);
  assert.deepEqual(await told('sql.js', bySqlJs, '?1'), [
    '2147483647 integer 2147',
    '2147483648 real 2147.483648',
    '5000000001n text 5000',
  ]);
  assert.deepEqual(await told('libsql', byLibsql, '?1'), [
    '2147483647 real 2147.483647',
    '2147483648 real 2147.483648',
    '5000000001n integer 5000',
  ]);
  for (const [name, ask] of [['sql.js', bySqlJs], ['libsql', byLibsql]]) {
    const cast = await told(`${name} with CAST`, ask, 'CAST(?1 AS INTEGER)');
    assert(cast.every((answer) => answer.includes(' integer ')), cast);
  }
})();
NODE
node "$folder/bind.cjs"

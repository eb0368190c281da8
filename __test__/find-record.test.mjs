// Finding a record by the values of its columns, on both stores, compared with the sample data.
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { rejects } from './support/expect.mjs'
import { account, missingId, names, numbered, page, rows } from './support/sample.mjs'
import { stores } from './support/stores.mjs'

const TABLE = 'Microsoft.Dynamics.CRM.lookuplogicalname'

for (const [name, open] of Object.entries(stores)) {
  describe(name, () => {
    test('a record is found by the values of its columns', async t => {
      const { client } = await open(t)
      for (const [entityLogicalName, column, id, nameOf, table] of [
        ['account', 'accountnumber', 'accountid', 'name', rows.accounts],
        ['contact', 'telephone1', 'contactid', 'fullname', rows.contacts],
        ['incident', 'ticketnumber', 'incidentid', 'title', rows.incidents]
      ]) {
        const row = table.find(row => row[column] && table.filter(other => other[column] === row[column]).length === 1)
        const expected = { entityLogicalName, recordId: row[id], name: row[nameOf] }
        assert.deepEqual(await client.findRecord(entityLogicalName, { [column]: row[column] }), expected)
        assert.deepEqual(
          await client.findRecord(entityLogicalName, { [nameOf]: row[nameOf].toUpperCase(), [column]: row[column] }),
          expected
        )
      }
      await rejects(
        client.findRecord('account', { accountnumber: "A'1 & $top=1 #+%" }),
        'RECORD_NOT_FOUND',
        /No account with this accountnumber/
      )
      const groups = rows.contacts
        .filter(({ telephone1 }) => telephone1)
        .reduce((all, { telephone1, contactid }) => all.set(telephone1, [...(all.get(telephone1) ?? []), contactid]), new Map())
      const [telephone1, ids] = [...groups].toSorted(([, a], [, b]) => b.length - a.length)[0]
      assert.ok(telephone1 && ids.length > 1)
      const error = await rejects(client.findRecord('contact', { telephone1 }), 'AMBIGUOUS', /contacts have this telephone1/)
      assert.equal(error.candidates.length, Math.min(10, ids.length))
      for (const { entityLogicalName, recordId, name } of error.candidates) {
        assert.ok(entityLogicalName === 'contact' && ids.includes(recordId))
        assert.equal(name, names.get(recordId))
      }
      for (const [entity, key, message] of [
        ['lead', { a: '1' }, /`entityLogicalName`/],
        ['account', {}, /`key`: expected at least one column/],
        ['account', { 'a eq 1 or b': 1 }, /`key`: 'a eq 1 or b' is not a logical name/],
        ['account', { name: null }, /`key\.name`/],
        ['account', 'A-1', /`key`: expected an object/],
        ['account', undefined, /`key`/],
        ['account', { name: 1.5 }, /`key\.name`/]
      ])
        await rejects(client.findRecord(entity, key), 'INVALID_ARGUMENT', message)
    })

    test('a record is found by ids, and by strings without case', async t => {
      const someone = {
        contactid: numbered(1),
        fullname: 'Jürgen MÜLLER',
        statecode: 1,
        jobtitle: missingId,
        _parentcustomerid_value: account.recordId,
        [`_parentcustomerid_value@${TABLE}`]: 'account'
      }
      const { client } = await open(t, [
        page('accounts', { accountid: account.recordId, name: 'Żabka' }),
        page('contacts', someone, { contactid: numbered(2), fullname: 'Ann' })
      ])
      const found = { entityLogicalName: 'contact', recordId: numbered(1), name: 'Jürgen MÜLLER' }
      for (const key of [
        { contactid: numbered(1) },
        { contactid: `{${numbered(1).toUpperCase()}}` },
        { _parentcustomerid_value: account.recordId.toUpperCase() },
        { fullname: 'jürgen müller' },
        { fullname: 'JÜRGEN MÜLLER', contactid: numbered(1) },
        { jobtitle: missingId.toUpperCase() }
      ])
        assert.deepEqual(await client.findRecord('contact', key), found, JSON.stringify(key))
      assert.equal((await client.findRecord('account', { name: 'ŻABKA' })).recordId, account.recordId)
      await rejects(client.findRecord('contact', { contactid: missingId }), 'RECORD_NOT_FOUND')
      await rejects(client.findRecord('contact', { fullname: '' }), 'RECORD_NOT_FOUND')
      for (const [key, message] of [
        [{ contactid: 'x' }, /`key\.contactid`: expected a GUID.*'x'/],
        [{ _parentcustomerid_value: '' }, /`key\._parentcustomerid_value`: expected a GUID/],
        [{ contactid: 1 }, /`key\.contactid`: expected a GUID/],
        [{ _x: '1' }, /'_x' is not a logical name/],
        [{ __value: missingId }, /'__value' is not a logical name/]
      ])
        await rejects(client.findRecord('contact', key), 'INVALID_ARGUMENT', message)
    })

    test('booleans and numbers are different', async t => {
      const { client } = await open(t, [
        page('accounts', { accountid: numbered(1), creditonhold: true }, { accountid: numbered(2), numberofemployees: 1 })
      ])
      assert.equal((await client.findRecord('account', { creditonhold: true })).recordId, numbered(1))
      assert.equal((await client.findRecord('account', { numberofemployees: 1 })).recordId, numbered(2))
      await rejects(client.findRecord('account', { creditonhold: false }), 'RECORD_NOT_FOUND')
      // Only a server knows the types of columns.
      const code = name === 'dataverse' ? 'INVALID_ARGUMENT' : 'RECORD_NOT_FOUND'
      for (const key of [{ creditonhold: 1 }, { numberofemployees: true }]) await rejects(client.findRecord('account', key), code)
    })
  })
}

test('an unknown column is INVALID_ARGUMENT', async t => {
  const { client } = await stores.dataverse(t)
  const error = await rejects(
    client.findRecord('account', { acountnumber: 'A-1' }),
    'INVALID_ARGUMENT',
    /^`key`: the server rejected it: .*[^.]\.$/
  )
  assert.equal(error.argument, 'key')
  assert.match(error.hint, /logical names of columns/)
})

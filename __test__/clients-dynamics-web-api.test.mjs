// npm dynamics-web-api against the emulator: its public operations, each with the result that Dataverse documents.
import { DynamicsWebApi } from 'dynamics-web-api'
import { batches } from './clients/dynamics-web-api/batches.mjs'
import { calls } from './clients/dynamics-web-api/calls.mjs'
import { changes } from './clients/dynamics-web-api/changes.mjs'
import { creations } from './clients/dynamics-web-api/creations.mjs'
import { definitions } from './clients/dynamics-web-api/definitions.mjs'
import { fetchXml } from './clients/dynamics-web-api/fetch-xml.mjs'
import { lists } from './clients/dynamics-web-api/lists.mjs'
import { references } from './clients/dynamics-web-api/references.mjs'
import { rows } from './clients/dynamics-web-api/rows.mjs'
import { operations } from './clients/operations.mjs'

const connect = ({ url, credential }) => new DynamicsWebApi({ serverUrl: url, onTokenRefresh: async () => credential })
const { operation, report } = await operations('npm dynamics-web-api 2.5.0', connect)

for (const define of [rows, lists, creations, changes, references, batches, fetchXml, calls, definitions]) define(operation)
report(229)

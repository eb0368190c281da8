// PyPI dataverse-api against the emulator.
import { suite } from './clients/python/python.mjs'

await suite('PyPI dataverse-api 1.4.3', { requirements: 'dataverse-api', program: 'dataverse_api_operations.py', atLeast: 31 })

// PyPI python-odata, which makes its classes from the $metadata document, against the emulator.
import { suite } from './clients/python/python.mjs'

await suite('PyPI python-odata 0.8.1', { requirements: 'python-odata', program: 'python_odata_operations.py', atLeast: 18 })

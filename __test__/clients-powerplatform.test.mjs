// PyPI PowerPlatform-Dataverse-Client, Microsoft's SDK for Python, against the emulator over TLS: it refuses plain http.
import { suite } from './clients/python/python.mjs'

await suite('PyPI PowerPlatform-Dataverse-Client 1.1.0', {
  requirements: 'powerplatform',
  program: 'powerplatform/main.py',
  atLeast: 95,
  tls: true
})

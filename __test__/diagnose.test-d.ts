// The typings of diagnose(): valid and invalid uses. Compiled, never run: `npm run types`.
import { OmnichannelClient } from 'omnichannel-link'
import type { DiagnoseOptions, DiagnosisCheck, DiagnosisReport, LinkErrorCode } from 'omnichannel-link'

declare const client: OmnichannelClient
declare const signal: AbortSignal

export async function documented(): Promise<DiagnosisReport> {
  const options: DiagnoseOptions = { signal, timeoutInMs: 60_000 }
  const { store, target, healthy, checks } = await client.diagnose(options)
  const failed: DiagnosisCheck[] = checks.filter(({ status }) => status === 'failed')
  const codes: (LinkErrorCode | null)[] = failed.map(({ code }) => code)
  console.log(store, target, healthy, codes, checks.find(({ name }) => name === 'limits')?.fix?.length)
  // @ts-expect-error: there is no such check
  console.log(checks.find(({ name }) => name === 'weather'))
  // @ts-expect-error: there is no such option
  await client.diagnose({ probe: 'x' })
  return await client.diagnose()
}

// What the typings of doctor() allow and what they refuse. Compiled, never run: `npm run types`.
import { doctor, OmnichannelClient } from 'omnichannel-link'
import type { DoctorCheck, DoctorOptions, DoctorReport, LinkErrorCode } from 'omnichannel-link'

declare const client: OmnichannelClient
declare const signal: AbortSignal
const id = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'

export async function documented(): Promise<DoctorReport> {
  const options: DoctorOptions = { signal, timeoutInMs: 60_000 }
  const { store, target, healthy, checks } = await client.doctor(options)
  const failed: DoctorCheck[] = checks.filter(({ status }) => status === 'failed')
  const codes: (LinkErrorCode | null)[] = failed.map(({ code }) => code)
  console.log(store, target, healthy, codes, checks.find(({ name }) => name === 'limits')?.fix?.length)
  // @ts-expect-error: nothing else is looked at
  console.log(checks.find(({ name }) => name === 'weather'))
  // @ts-expect-error: there is no such option
  await doctor({ probe: id })
  return await doctor()
}

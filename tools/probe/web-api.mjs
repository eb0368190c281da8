// Requests to the Web API with the built-in fetch. Each one is recorded.
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_IN_MS = 30_000
/** Resends of a throttled request. A 429 was not executed, so a write may be resent too. */
const MAX_RESENDS = 5
const AUTHORITY = 'https://login.microsoftonline.com'

/** Stops the probe with a message for the person who runs it. */
export class ProbeError extends Error {}

/** The environment's origin: a token must not travel in the clear, except to this machine. */
export function originOf(text) {
  if (!text) throw new ProbeError('DATAVERSE_URL is not set.')
  let url
  try {
    url = new URL(text)
  } catch {
    throw new ProbeError('DATAVERSE_URL is not a URL.')
  }
  if (url.username || url.password) throw new ProbeError('DATAVERSE_URL must not hold a user or a password.')
  const isLocal = ['127.0.0.1', 'localhost', '[::1]'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLocal)) throw new ProbeError('DATAVERSE_URL must begin with https://.')
  return url.origin
}

/** The access token of the process environment, or one that its application gets. */
export async function tokenFor(origin, env, recording) {
  if (env.DATAVERSE_TOKEN) {
    recording.addSecret(env.DATAVERSE_TOKEN)
    return env.DATAVERSE_TOKEN
  }
  const { AZURE_TENANT_ID: tenant, AZURE_CLIENT_ID: client, AZURE_CLIENT_SECRET: secret } = env
  if (!tenant || !client || !secret)
    throw new ProbeError('Set DATAVERSE_TOKEN, or AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.')
  recording.addSecret(secret)
  const authority = originOf(env.AZURE_AUTHORITY_HOST || AUTHORITY)
  const response = await fetch(`${authority}/${encodeURIComponent(tenant)}/oauth2/v2.0/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', client_id: client, client_secret: secret, scope: `${origin}/.default` }),
    redirect: 'manual',
    signal: AbortSignal.timeout(PATIENCE_IN_MS)
  })
  const body = await response.json().catch(() => ({}))
  if (!body.access_token)
    throw new ProbeError(`The token endpoint returned no access token (${response.status} ${body.error_description ?? ''}).`)
  recording.addSecret(body.access_token)
  return body.access_token
}

export class WebApi {
  #token
  #recording
  /** The question that the next requests belong to. */
  question = 'prepare'
  /** Cancels requests in flight when the probe is interrupted. */
  interruption

  constructor(origin, token, recording, interruption) {
    this.origin = origin
    this.#token = token
    this.#recording = recording
    this.interruption = interruption
  }

  url(path) {
    return `${this.origin}/api/data/v9.2/${path}`
  }

  get(path, headers) {
    return this.send('GET', path, { headers })
  }

  /** The response, whatever its status. Throws if there was none. */
  async send(method, path, { headers = {}, body = '' } = {}) {
    const request = {
      method,
      url: this.url(path),
      headers: {
        accept: 'application/json',
        'odata-maxversion': '4.0',
        'odata-version': '4.0',
        ...headers,
        authorization: `Bearer ${this.#token}`
      }
    }
    for (let resends = 0; ; resends++) {
      const response = await this.#exchange(request, body)
      if (response.status !== 429 || resends === MAX_RESENDS) return response
      await sleep(Math.min(Number(response.headers['retry-after']) || 1, 60) * 1000, undefined, { signal: this.interruption })
    }
  }

  async #exchange(request, body) {
    const signals = [AbortSignal.timeout(PATIENCE_IN_MS), this.interruption].filter(Boolean)
    const begun = performance.now()
    const record = response =>
      this.#recording.exchange(this.question, { ...request, body: body.toString() }, response, Math.round(performance.now() - begun))
    try {
      const { url, ...init } = request
      const answer = await fetch(url, {
        ...init,
        body: body.length > 0 ? body : undefined,
        redirect: 'manual',
        signal: AbortSignal.any(signals)
      })
      const response = { status: answer.status, headers: Object.fromEntries(answer.headers), body: await answer.text() }
      record(response)
      return response
    } catch (error) {
      record({ error: `${error.message}${error.cause ? `: ${error.cause.message}` : ''}` })
      throw error
    }
  }
}

export const isSuccess = ({ status }) => status >= 200 && status < 300

/** The JSON of a successful response. */
export function jsonOf(response) {
  if (!isSuccess(response)) throw new ProbeError(described(response))
  return JSON.parse(response.body)
}

/** A response in one line. */
export function described(response) {
  if (isSuccess(response)) return `Accepted (${response.status}).`
  let error = {}
  try {
    error = JSON.parse(response.body).error ?? {}
  } catch {
    // A proxy's page.
  }
  return `Rejected (${response.status}, ${error.code || 'no code'}): ${error.message || 'no message'}`
}

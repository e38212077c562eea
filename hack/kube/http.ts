import https from 'node:https'

export interface Answer {
  status: number
  text: string
  /** The body, read as JSON; undefined when it is none. */
  json(): Record<string, unknown>
}

/** One HTTPS request with a bearer token. Rejects when there is no answer. */
export function httpsRequest(
  to: { url: string; ca: string; token: string; agent: https.Agent },
  method: string,
  path: string,
  body?: unknown,
  contentType = 'application/json',
): Promise<Answer> {
  const payload = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const headers = {
      authorization: `Bearer ${to.token}`,
      accept: 'application/json',
      ...(payload !== undefined && { 'content-type': contentType, 'content-length': Buffer.byteLength(payload) }),
    }
    const request = https.request(
      new URL(path, to.url),
      { method, ca: to.ca, agent: to.agent, headers },
      (response) => {
        let text = ''
        response.setEncoding('utf8')
        response.on('data', (part) => {
          text += part
        })
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text, json: () => JSON.parse(text) }))
      },
    )
    request.on('error', reject)
    request.end(payload)
  })
}

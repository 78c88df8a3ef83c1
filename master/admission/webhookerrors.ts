/** 2. How webhooks refuse and fail, in kube-apiserver's words. */
import { ApiError, badRequest, type Status } from '../../src/api/errors.js';

/** The call did not give a usable answer: subject to the failure policy. */
export class WebhookFailed extends Error {
  constructor(webhook: string, why: string, cause?: unknown) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${why}`, { cause });
  }

  toApiError(): ApiError {
    return new ApiError(
      'InternalError',
      `Internal error occurred: ${this.message}`,
      { causes: [{ message: this.message }] },
      { cause: this },
    );
  }
}

/** The webhook said no, with whatever code and reason it gave. */
export class WebhookDenied extends ApiError {
  override readonly code: number;
  readonly #given: Partial<Status>;

  constructor(webhook: string, given: Partial<Status> = {}) {
    super('BadRequest', deniedText(webhook, given), given.details);
    this.#given = given;
    const { code } = given;
    this.code = typeof code === 'number' && Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400;
  }

  override toStatus(): Status {
    const { reason: _reason, ...status } = super.toStatus();
    const { reason } = this.#given;
    return { ...status, ...(reason && { reason }), code: this.code };
  }
}

function deniedText(webhook: string, { message, reason }: Partial<Status>): string {
  const denied = `admission webhook ${JSON.stringify(webhook)} denied the request`;
  const why = message || reason;
  return why ? `${denied}: ${why}` : `${denied} without explanation`;
}

export const noDryRun = (webhook: string): ApiError =>
  badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);

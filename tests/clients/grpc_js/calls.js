// Calls the service by its protos alone, as a program in another language does. Prints one line of JSON for each call.
//
// node calls.js ADDRESS API_KEY PROTOS GOOGLE_PROTOS
const grpc = require('@grpc/grpc-js')
const loader = require('@grpc/proto-loader')

const [address, apiKey, protos, googleProtos] = process.argv.slice(2)
const files = ['prepaid/billing/v1/billing.proto', 'prepaid/billing/v1/admin.proto', 'google/rpc/error_details.proto']
const reading = { keepCase: true, longs: String, enums: String, defaults: true }
const definition = loader.loadSync(files, { includeDirs: [protos, googleProtos], ...reading })
const { BillingService, AdminService } = grpc.loadPackageDefinition(definition).prepaid.billing.v1

const metadata = new grpc.Metadata()
metadata.set('authorization', `Bearer ${apiKey}`)
metadata.set('x-request-id', 'from-node')

function errorInfo(error) {
  const packed = error.metadata.get('grpc-status-details-bin')[0]
  if (packed === undefined) return null
  const status = definition['google.rpc.Status'].deserialize(packed)
  const found = status.details.find((detail) => detail.type_url.endsWith('/google.rpc.ErrorInfo'))
  return found && definition['google.rpc.ErrorInfo'].deserialize(found.value)
}

function call(client, method, request, sent = metadata) {
  return new Promise((resolve) => {
    client[method](request, sent, { deadline: Date.now() + 20000 }, (error, answer) => {
      const outcome = error ? { code: grpc.status[error.code], info: errorInfo(error) } : { answer }
      console.log(JSON.stringify({ method, ...outcome }))
      resolve()
    })
  })
}

async function main() {
  const credentials = grpc.credentials.createInsecure()
  const billing = new BillingService(address, credentials)
  const admin = new AdminService(address, credentials)
  await call(billing, 'GetBalance', { account_id: 'ada' }, new grpc.Metadata())
  const deduction = { account_id: 'ada', amount_microcredits: '1000000000000000', idempotency_key: 'from-node' }
  await call(billing, 'DeductCredits', deduction)
  const gift = { reason: 'test', category: 'CREDIT_CATEGORY_PROMOTIONAL' }
  const grant = { account_id: 'ada', amount_microcredits: '5000000', ...gift }
  await call(admin, 'GrantCredits', { ...grant, idempotency_key: 'grant' })
  await call(billing, 'DeductCredits', deduction)
  for (let repeat = 0; repeat < 2; repeat++) {
    await call(billing, 'DeductCredits', { ...deduction, amount_microcredits: '2000000' })
  }
  billing.close()
  admin.close()
}

main()

// Script of the page, as it would run on the product's own agent desktop.
const incident = '6b726d86-d37c-43b8-b3a4-c4056ddd2e07'
const show = (id, text) => (document.getElementById(id).textContent = text)

/** Links or unlinks in the focused conversation of this window. The program reloads the page when a link has changed. */
function change(call) {
  call('incident', incident).then(
    response => show('failure', response.message),
    error => show('failure', `${error.message} (${error.error.code})`)
  )
}

const { getConversationId, getLinkedRecords, linkToConversation, unlinkFromConversation } = Microsoft.Omnichannel
document.getElementById('link').addEventListener('click', () => change(linkToConversation))
document.getElementById('unlink').addEventListener('click', () => change(unlinkFromConversation))

getConversationId().then(
  id => show('conversation', id),
  error => show('failure', error.message)
)
getLinkedRecords().then(
  records => {
    for (const { entityName, recordId } of records) {
      const item = document.createElement('li')
      item.textContent = `${entityName} ${recordId}`
      document.getElementById('records').append(item)
    }
  },
  error => show('failure', error.message)
)

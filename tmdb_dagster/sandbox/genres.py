"""The genres, under TMDB's ids, and the words that the titles, plots and keywords of each are made of."""

from __future__ import annotations

from typing import NamedTuple


class Genre(NamedTuple):
    """A genre under TMDB's id and name, with the words that make a movie of it recognisable."""

    id: int
    name: str
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    heroes: tuple[str, ...]
    quests: tuple[str, ...]
    turns: tuple[str, ...]
    keywords: tuple[str, ...]
    taglines: tuple[str, ...]


def _split(text: str) -> tuple[str, ...]:
    return tuple(" ".join(part.split()) for part in text.split("|"))


def _genre(genre_id: int, name: str, text: str) -> Genre:
    """Read one genre: a row a kind of word in the order of the fields, each starting with a `*`."""
    return Genre(genre_id, name, *(_split(row) for row in text.split("\n*")[1:]))


GENRES: tuple[Genre, ...] = (
    _genre(
        28,
        "Action",
        """
* Burning | Relentless | Steel | Hollow | Crimson | Unbroken
* Convoy | Viaduct | Ricochet | Courier | Checkpoint | Overpass | Gauntlet | Fuse
* a suspended bodyguard | a getaway driver on parole | a demolition expert | a tired customs officer | a
    former stunt rider
* has one night to cross a city that wants her stopped | must bring a stolen ledger back before dawn |
    agrees to escort a witness across the border | is framed for the robbery she tried to prevent
* the convoy is ambushed | the client turns out to be the target | an old partner switches sides | every
    bridge out of town is closed
* car chase | ambush | bodyguard | shootout | revenge | stunt driver | hostage | escape
* One road. No brakes. | She was told to stand down. She stood up. | The fuse was always lit. | Some
    deliveries you make by hand.""",
    ),
    _genre(
        12,
        "Adventure",
        """
* Uncharted | Windward | Golden | Farthest | Lost | Emerald
* Compass | Expedition | Monsoon | Atoll | Caravan | Summit | Meridian | Voyage
* a disgraced cartographer | a pearl diver | a shy balloonist | a mule driver with a secret map | a
    botanist afraid of heights
* sets out to find a river that appears on no map | joins an expedition to the last blank valley | races
    a rival crew to a sunken observatory | follows her grandfather's diary over the ice
* the maps begin to disagree | the guide disappears overnight | a storm splits the party in two | the
    valley turns out to be inhabited
* expedition | treasure map | jungle | mountain | shipwreck | survival | ancient ruins | journey
* The map ends here. | Bring rope. | Beyond the last lighthouse. | Every blank space was somebody's
    home.""",
    ),
    _genre(
        16,
        "Animation",
        """
* Tiny | Clockwork | Paper | Sleepy | Upside-Down | Marmalade
* Umbrella | Beetle | Cloudship | Kettle | Hedgehog | Postbox | Snowglobe | Moonboat
* a timid cloud | a wind-up owl | the smallest dragon in the post office | a hedgehog who collects lost
    gloves | a girl who can hear furniture
* sets off to return a lost star to its owner | has to deliver one last parcel before winter | enters a
    baking contest for giants | learns that the moon is out of oil
* the wind goes on strike | the map is eaten by a goat | the snow starts falling upwards | every toy in
    town wakes at once
* talking animal | friendship | cartoon | magic | anthropomorphism | flying | toy | coming of age
* Small wings. Big weather. | The post must get through. | Who oils the moon? | A very tall tale about
    someone very short.""",
    ),
    _genre(
        35,
        "Comedy",
        """
* Reluctant | Extremely Local | Accidental | Second-Hand | Overdue | Polite
* Wedding | Caravan Park | Referee | Sourdough | Neighbour | Talent Show | Honeymoon | Committee
* a wedding planner allergic to flowers | the worst waiter in town | a vain choirmaster | a
    small-town referee | an unlucky ghostwriter
* accidentally becomes mayor | tries to return a piano nobody ordered | has a weekend to hide a llama
    from her landlord | agrees to fake an engagement for the free cake
* both families turn up early | the llama wins a prize | the best man reads the wrong speech | a
    rehearsal is broadcast to the whole county
* wedding | mistaken identity | small town | family dinner | road trip | satire | rivalry | slapstick
* RSVP at your own risk. | It seemed polite at the time. | What's the worst that could happen? Page two.
    | Love thy neighbour's llama.""",
    ),
    _genre(
        80,
        "Crime",
        """
* Marked | Cold | Dirty | Velvet | Midnight | Crooked
* Ledger | Alibi | Pawnshop | Informant | Heist | Backroom | Wiretap | Counterfeit
* a forger who wants out | a night-shift detective | the accountant of a failing syndicate | a
    safecracker with failing eyesight | a pawnbroker
* plans one last job in the bank where she works | finds a name in the ledger that should not be there |
    is asked to launder a fortune through a bakery | reopens the one case he closed too soon
* the alibi walks in alive | somebody sells the plan twice | the money turns out to be real | an honest
    man gets in the way
* heist | detective | organized crime | informant | forgery | police corruption | money laundering |
    safecracker
* Everybody owes somebody. | The books never balance. | Count it twice. | Crime pays weekly.""",
    ),
    _genre(
        99,
        "Documentary",
        """
* Unseen | Living | Vanishing | Ordinary | Last | Measured
* Archive | Orchard | Signal | Harvest | Coastline | Workshop | Choir | Tide Table
* three generations of bell founders | the keepers of a seed bank | the players of a village band |
    the crew of the last ferry | four night-shift nurses
* open their workshop to a camera for the first time | follow one winter from the first frost to the
    thaw | try to record a language with nine speakers left | measure a glacier that will not wait
* the river changes its course | an archive thought lost turns up in an attic | the youngest member
    leaves for the city | the harvest fails
* nature | archive footage | craft | village life | climate | biography | interview | music history
* Listen closely. | A year in one place. | Nobody filmed it. Until now. | What remains when the ferry
    stops.""",
    ),
    _genre(
        18,
        "Drama",
        """
* Quiet | Borrowed | Unfinished | Distant | Salt | Tender
* Inheritance | Harvest | Letter | Winter | Kitchen | Sister | Orchard | Silence
* a piano tuner | a widowed beekeeper | an ageing ferry captain | a schoolteacher on leave |
    the younger of two sisters
* returns to the house she swore never to enter again | takes in a boy who refuses to speak | has one
    summer to sell the family orchard | starts to write to a stranger by mistake
* a letter arrives thirty years late | the river floods the lower fields | the will names somebody
    nobody knows | an old friend asks for the one thing she cannot give
* family relationships | grief | inheritance | loss of loved one | small town | forgiveness | farm |
    mother daughter relationship
* Some doors stay open. | What we keep. What keeps us. | Everything was said but one word. | The longest
    summer of a short life.""",
    ),
    _genre(
        10751,
        "Family",
        """
* Brave | Muddy | Wonderful | Runaway | Secret | Great Big
* Treehouse | Puppy | Sleigh | Circus | Scarecrow | Picnic | Lighthouse | Snow Day
* the eldest of three cousins | a boy with a borrowed dog | an inventive grandmother |
    the shyest girl in the swimming
    club | a baker's son
* builds a raft to visit a father's lighthouse | has to save the village fair in one afternoon |
    finds a baby seal in the bathtub | spends Christmas in the wrong house
* the tide comes in early | grandmother's invention works | the dog starts a parade | it snows in July
* dog | holiday | grandparents | childhood | christmas | sibling relationship | summer vacation | school
* Mind the puddles. | Home is where the dog is. | Bring everyone. | Grandma knows a shortcut.""",
    ),
    _genre(
        14,
        "Fantasy",
        """
* Enchanted | Thorned | Silver | Nameless | Moonlit | Ashen
* Crown | Griffin | Covenant | Spellbook | Thornwood | Oracle | Tower | Changeling
* an apprentice bell ringer | the last dragon's librarian | a knight who lost her shadow | a river
    spirit in exile | a blacksmith's youngest son
* must carry a sleeping god across the kingdom | bargains with winter itself for her brother's name |
    breaks a spell nobody knew was cast | is chosen by a crown that nobody may wear
* the forest closes behind them | the oracle lies for the first time | the shadow takes up a sword | a
    second moon rises
* magic | dragon | prophecy | curse | kingdom | quest | sorcerer | mythical creature
* Every spell has a price. | The crown remembers. | Wake nothing. Carry everything. | Winter keeps its
    bargains.""",
    ),
    _genre(
        36,
        "History",
        """
* Forgotten | Imperial | Divided | Sovereign | Restless | Gilded
* Treaty | Regent | Parliament | Cartographer | Siege | Printer | Envoy | Chronicle
* a court printer | the queen's translator | a young envoy | a stonemason | an imprisoned chronicler
* has a week to stop a war with a mistranslated letter | smuggles a forbidden almanac across three
    borders | is ordered to build a bridge that must fail | writes the trial that nobody dares to record
* the king dies before the seal is dry | the winter closes the passes | a copy of the letter turns up in
    the enemy camp | the guilds go on strike
* based on true story | royalty | 18th century | revolution | court intrigue | treaty | biography |
    period drama
* History was written in one night. | Ink outlives armies. | A kingdom hung on one word. | They kept the
    record.""",
    ),
    _genre(
        27,
        "Horror",
        """
* Whispering | Pale | Drowned | Buried | Sleepless | Black
* Cellar | Wellspring | Lullaby | Marionette | Attic | Nocturne | Vigil | Mirror
* a night caretaker | a student far from home | a newly married seamstress | a sound archivist | a priest who
    stopped believing
* moves into a house whose rooms outnumber its doors | plays a tape that should have been blank | has to
    keep a candle burning until morning | inherits a mirror that is slow by one second
* the house grows another door | somebody answers from the well | the lullaby gets a second voice | the
    reflection stays behind
* haunted house | supernatural | ghost | demon | isolation | possession | nightmare | old dark house
* Count the doors. | Do not sing along. | It learned your name. | Leave the light on. It helps it see.""",
    ),
    _genre(
        10402,
        "Music",
        """
* Blue | Second | Electric | Off-Key | Long-Playing | Loud
* Encore | Refrain | Jukebox | Overture | Fiddle | Backbeat | Ballad | Soundcheck
* a wedding singer | a deaf percussionist | the second violin of a touring orchestra | a busker with
    perfect pitch | the drummer of a retired punk trio
* gets the chance to finish her father's song | has one rehearsal to learn the solo | reunites the band
    for a harvest festival | bets the van on a talent contest
* the singer loses her voice | the recording leaks | the van breaks down in front of the right bar | the
    old manager wants his share
* musician | band | concert | singer | songwriter | orchestra | rivalry | record label
* Play it once more, slower. | Louder than regret. | The B-side of a life. | Tune up. Fall apart.
    Repeat.""",
    ),
    _genre(
        9648,
        "Mystery",
        """
* Missing | Unlit | Seventh | Curious | Broken | Hidden
* Cipher | Guest | Keyhole | Greenhouse | Passenger | Diary | Stairwell | Witness
* a crossword editor | an insurance inspector | the only guest of a closed hotel | a blind librarian | a
    village postmistress
* finds a message in next week's puzzle | tries to prove that a passenger never boarded | inherits a key
    with no door | is the only one who remembers the seventh guest
* the missing man sends a postcard | a second diary contradicts the first | all the clocks stop at the
    same minute | the witness turns out to be the author
* whodunit | secret | disappearance | amateur detective | conspiracy | hotel | clue | murder
    investigation
* Someone at the table is not on the list. | Every key was made for something. | Read it again. | Seven
    arrived. Eight stayed.""",
    ),
    _genre(
        10749,
        "Romance",
        """
* Summer | Almost | Slow | Tuesday | Late | Sunlit
* Platform | Ferry | Bakery | Postcard | Garden | Waltz | Bookshop | Promise
* a florist | a stubborn translator | a train announcer | a shy astronomer | a baker who has stopped
    eating sweets
* keeps meeting the same stranger on the last ferry | has to share a studio with the man who panned her
    book | falls for a voice on the night train | writes love letters for somebody else
* the letters get an answer | a job abroad cannot wait | her first love opens a shop next door | the
    last train runs early
* love | letter | second chance | long distance relationship | paris | love triangle | summer romance |
    bookshop
* Mind the gap. | Love, eventually. | Some trains wait. | He had the right words. For the wrong man.""",
    ),
    _genre(
        878,
        "Science Fiction",
        """
* Orbital | Synthetic | Zero | Silent | Parallel | Ninth
* Colony | Signal | Antenna | Paradox | Satellite | Airlock | Horizon | Engine
* a salvage pilot | the night engineer of a generation ship | a memory auditor | a xenolinguist | the
    last human postman
* answers a distress call sent from tomorrow | finds a door in the hull that is on no plan | must teach
    an alien child to lie | repairs a satellite that starts to write poems
* the signal repeats with one word changed | the ship wakes the wrong passenger | time runs out twice |
    the colony votes to turn back
* space station | artificial intelligence | time loop | alien contact | dystopia | spaceship | android |
    near future
* The signal came from home. | Gravity is a suggestion. | Tomorrow called. It hung up. | No one left to
    lie to.""",
    ),
    _genre(
        10770,
        "TV Movie",
        """
* Cosy | Snowed-In | Homemade | Perfectly | Small-Town | Holiday
* Inn | Recipe | Reunion | Choir | Bake Sale | Cottage | Pageant | Sleigh Ride
* a busy city lawyer | a widowed innkeeper | a runaway novelist | the host of a cancelled show | a
    pastry chef
* comes home to save the village inn | has to judge the bake sale her mother wants to win | is snowed in
    with her least favourite critic | takes over the school pageant
* the road is closed until New Year | the oven gives up | the critic can sing | her old sweetheart buys
    the mill
* christmas | small town | inn | baking | holiday romance | reunion | snow | mother
* Snow way out. | Home for the holidays. All of them. | Add sugar. | One inn. Two weeks. No signal.""",
    ),
    _genre(
        53,
        "Thriller",
        """
* Final | Silent | Double | Frozen | Deadly | Glass
* Protocol | Passenger | Cable | Witness | Corridor | Deadline | Motive | Signal
* a court interpreter | an air traffic controller | a data recovery specialist | a night-train conductor
    | a kidnap negotiator
* overhears a murder in a language only she understands | has forty minutes to land a plane that is not
    there | recovers a video of a crime planned for tomorrow | wakes up with someone else's signature
* the line goes dead | the hostage calls back | her own name is on the list | the last passenger is not
    on the manifest
* conspiracy | kidnapping | surveillance | race against time | stalker | double agent | paranoia |
    whistleblower
* Hang up. | She understood every word. | Forty minutes of fuel. No plane. | Trust the wrong people
    quickly.""",
    ),
    _genre(
        10752,
        "War",
        """
* Muddy | Forward | Fallen | Iron | Winter | Unarmed
* Trench | Regiment | Crossing | Ceasefire | Ambulance | Outpost | Telegram | Bridgehead
* a field surgeon | a stretcher bearer | the radio operator of a lost patrol | a railway signalman |
    a deserter in the wrong uniform
* has to hold a bridge nobody will need | carries the order that would stop the attack | hides enemy
    wounded in a winery | keeps a hospital train moving through the front
* the ceasefire is one hour late | the radio answers in the wrong language | the bridge is mined by both
    sides | snow cuts off the valley
* war | soldier | trench warfare | nurse | resistance | prisoner of war | bridge | brotherhood
* The war ended at noon. Nobody told them. | Hold the bridge. | One order. Nine miles. | They never
    fired first.""",
    ),
    _genre(
        37,
        "Western",
        """
* Dusty | Lonesome | Crooked | Painted | Bitter | Last
* Stagecoach | Canyon | Sheriff | Homestead | Telegraph | Mustang | Water Right | Gallows
* a retired sheriff | a telegraph operator | a horse trader | a homesteading widow | a gambler with one
    good hand
* defends the only well in the county | rides three days to stop a hanging | carries a stolen deed
    across the desert | takes a job guarding the railway she hates
* the well runs dry | the wire is cut | the hired gun is her brother | the railway comes early
* gunslinger | frontier | sheriff | desert | outlaw | railroad | homestead | duel
* Water is thicker than blood. | Ride before the wire. | The last honest mile. | Nobody owns the wind.""",
    ),
)
